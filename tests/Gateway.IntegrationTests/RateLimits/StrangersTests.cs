using System.Net;
using WebhookEdge.Gate;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.RateLimits;

/// <summary>What strangers can hold of the gateway's bounds, and that authentic events do not notice.</summary>
public sealed class Strangers
{
    private const string Limits = """ "limits": { "maxBody": "128KiB", "bufferedBodies": "32MiB" } """;
    private const int Attackers = 300;
    private static readonly IPAddress s_sender = IPAddress.Parse("127.0.8.1");

    [Theory]
    [InlineData(1, false)]
    [InlineData(16, false)]
    [InlineData(16, true)]
    public async Task Three_hundred_big_bodies_of_strangers_cost_small_events_nothing(int addresses, bool chunked)
    {
        await using var site = await Site.WithOneRouteAsync(""" "maxBody": "128KiB" """, Limits);
        await using var attack = await Attack.BeginAsync(site, addresses, 128 * 1024, chunked);
        await attack.IsHeldAsync(8);

        for (var i = 0; i < 50; i++)
        {
            Assert.Equal(200, (await site.SendAsync(Site.Signed($"event {i}"), s_sender)).Status);
            Assert.Equal(200, (await site.SendAsync(Site.Signed($"newcomer {i}"), IPAddress.Parse($"127.0.7.{i + 1}"))).Status);
            Assert.Equal(200, (await site.SendAsync(Site.Signed($"neighbour {i}"), Attack.Address(0))).Status);
        }

        Assert.Equal(150, site.Upstream.Requests.Count);
    }

    [Fact]
    public async Task One_address_holds_a_sixteenth_of_bytes_and_requests_until_it_has_proved_itself()
    {
        await using var site = await Site.WithOneRouteAsync(""" "maxBody": "128KiB" """,
            """ "limits": { "maxBody": "128KiB", "bufferedBodies": "32MiB", "concurrentRequests": 320 } """);
        await using (var attack = await Attack.BeginAsync(site, 1, 128 * 1024, chunked: false))
        {
            await attack.IsHeldAsync(1);
            Assert.InRange(site.Capacity.BufferedBytes, 1, 2 * 1024 * 1024);
            Assert.InRange(site.Capacity.Requests, 1, 20);
            Assert.Contains(site.Gateway.Journal.Newest(), static entry => entry.Detail is Capacity.NoBytesForAddress or Capacity.NoRequestsForAddress);
        }

        await site.IsIdleAsync();
        await using (var attack = await Attack.BeginAsync(site, 1, 1000, chunked: false))
        {
            // The slowest are given up meanwhile, for others of the same address.
            Assert.InRange(site.Capacity.Requests, 1, 20);
            Assert.Contains(site.Gateway.Journal.Newest(), static entry => entry.Detail == Capacity.NoRequestsForAddress);
        }

        await site.IsIdleAsync();
        Assert.Equal(200, (await site.SendAsync(Site.Signed("proof"), Attack.Address(0))).Status);
        await using (var attack = await Attack.BeginAsync(site, 1, 1000, chunked: false))
        {
            await Deadline.UntilAsync(() => site.Capacity.Requests > 100, "the address may hold more");
        }
    }

    [Fact]
    public async Task Requests_held_by_strangers_leave_room_for_who_has_proved_itself_and_the_slowest_make_room_for_newcomers()
    {
        await using var site = await Site.WithOneRouteAsync(edge: """ "limits": { "concurrentRequests": 64 } """);
        Assert.Equal(200, (await site.SendAsync(Site.Signed("proof"), s_sender)).Status);
        await using var attack = await Attack.BeginAsync(site, 16, 1000, chunked: false);

        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(200, (await site.SendAsync(Site.Signed($"event {i}"), s_sender)).Status);
        }

        await Deadline.UntilAsync(() => site.Capacity.Requests <= 48, "the slowest were given up");
        Assert.InRange(site.Capacity.Bodies.Shed, 1, Attackers);
        Assert.Contains(site.Gateway.Journal.Newest(), entry => entry.Detail == Capacity.GivenUp);
        var accepted = 0;
        for (var i = 0; i < 20; i++)
        {
            accepted += (await site.SendAsync(Site.Signed($"newcomer {i}"), IPAddress.Parse($"127.0.7.{i + 1}"))).Status == 200 ? 1 : 0;
        }

        // All of them, but for one that happens to share its row of the table with a stranger (once in two hundred runs).
        Assert.InRange(accepted, 19, 20);
    }

    [Fact]
    public async Task The_body_that_came_slowest_is_given_up_first_and_its_sender_is_told_to_come_again()
    {
        var clock = new TestClock();
        await using var site = await Site.WithOneRouteAsync(
            """ "maxBody": "1MiB" """, """ "limits": { "maxBody": "1MiB", "bufferedBodies": "2MiB" } """, time: clock);
        var body = Site.Bytes(1000 * 1024);
        await using var slow = await SendPartAsync(site, body, 600 * 1024, "127.0.6.1");
        await Deadline.UntilAsync(() => site.Capacity.BufferedBytes == 600 * 1024, "the first is held");
        clock.Advance(TimeSpan.FromSeconds(3));
        await using var quick = await SendPartAsync(site, body, 900 * 1024, "127.0.6.2");
        await Deadline.UntilAsync(() => site.Capacity.BufferedBytes == 1500 * 1024, "both are held");

        // Beyond three quarters: somebody has to go.
        Assert.Equal(200, (await site.SendAsync(Site.Signed(Site.Bytes(60 * 1024)), s_sender)).Status);
        await Deadline.UntilAsync(
            () =>
            {
                clock.Advance(TimeSpan.FromMilliseconds(10));
                return site.Capacity.BufferedBytes == 900 * 1024;
            },
            "the slow one is given up");

        var answer = await slow.ReadResponseAsync();
        Assert.Equal((503, "1", "close"), (answer.Status, answer.Headers["Retry-After"], answer.Headers["Connection"]));
        await quick.SendAsync(body.AsMemory(900 * 1024));
        Assert.Equal(200, (await quick.ReadResponseAsync()).Status);
        await site.IsIdleAsync();
        Assert.Equal(1, site.Capacity.Bodies.Shed);
    }

    [Fact]
    public async Task Hundreds_of_senders_behind_one_address_are_let_in_whatever_the_app_holds_of_theirs()
    {
        await using var site = await Site.WithOneRouteAsync(edge: """ "limits": { "concurrentRequests": 320 } """);
        Assert.Equal(200, (await site.SendAsync(Site.Signed("the first"))).Status);
        var release = new TaskCompletionSource();
        site.Upstream.RespondNext([.. Enumerable.Repeat(UpstreamAnswer.Ok.HeldUntil(release.Task), 200)]);

        var held = Enumerable.Range(0, 200).Select(i => site.SendAsync(Site.Signed($"event {i}"))).ToArray();
        await site.Upstream.WaitForRequestAsync(201);
        release.SetResult();

        Assert.All(await Deadline.WaitAsync(Task.WhenAll(held), "the held ones"), answer => Assert.Equal(200, answer.Status));
    }

    [Fact]
    public async Task What_observe_mode_lets_through_proves_nothing()
    {
        await using var site = await Site.WithOneRouteAsync(""" "mode": "observe" """, """ "limits": { "concurrentRequests": 64 } """);
        var release = new TaskCompletionSource();
        site.Upstream.RespondNext([.. Enumerable.Repeat(UpstreamAnswer.Ok.HeldUntil(release.Task), 4)]);
        var held = Enumerable.Range(0, 4).Select(i => site.SendAsync(RawRequest.Post("/hook", $"unsigned {i}"))).ToArray();
        await site.Upstream.WaitForRequestAsync(4);

        Assert.Equal(503, (await site.SendAsync(RawRequest.Post("/hook", "one more"))).Status);
        Assert.Equal(200, (await site.SendAsync(RawRequest.Post("/hook", "from elsewhere"), s_sender)).Status);
        release.SetResult();
        Assert.All(await Deadline.WaitAsync(Task.WhenAll(held), "the held ones"), answer => Assert.Equal(200, answer.Status));
        await site.IsIdleAsync();
        Assert.Equal(200, (await site.SendAsync(RawRequest.Post("/hook", "one more"))).Status);
    }

    private static async Task<RawHttpClient> SendPartAsync(Site site, byte[] body, int part, string from)
    {
        var client = await site.Gateway.ConnectAsync(IPAddress.Parse(from));
        await client.SendAsync(Site.Signed(body).HeadBytes());
        await client.SendAsync(body.AsMemory(0, part));
        return client;
    }

    /// <summary>Connections that each send all but the last byte of a body under a signature that is well formed and wrong.</summary>
    private sealed class Attack(Site site, List<RawHttpClient> clients) : IAsyncDisposable
    {
        public static IPAddress Address(int number) => IPAddress.Parse($"127.0.9.{number + 1}");

        public static async Task<Attack> BeginAsync(Site site, int addresses, int length, bool chunked)
        {
            var request = RawRequest.Post("/hook", Site.Bytes(length)).WithHeader("X-Signature", new string('0', 64));
            request = chunked ? request.Chunked(16 * 1024) : request;
            byte[] all = request.ToBytes();
            var clients = new List<RawHttpClient>();
            for (var i = 0; i < Attackers; i++)
            {
                var client = await site.Gateway.ConnectAsync(Address(i % addresses));
                clients.Add(client);
                try
                {
                    await client.SendAsync(all.AsMemory(0, all.Length - (chunked ? 8 : 1)));
                }
                catch (IOException)
                {
                    // Refused already.
                }
            }

            return new(site, clients);
        }

        /// <summary>So many bodies are held, nearly whole.</summary>
        public Task IsHeldAsync(int count) =>
            Deadline.UntilAsync(() => site.Capacity.Requests >= count && site.Capacity.BufferedBytes >= count * 100 * 1024, $"{count} bodies are held");

        public async ValueTask DisposeAsync()
        {
            foreach (var client in clients)
            {
                await client.DisposeAsync();
            }
        }
    }
}
