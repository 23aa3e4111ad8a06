using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Primitives;
using WebhookEdge.TestKit;
using WebhookEdge.Verdicts;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication.Verifiers;

/// <summary>Keys that senders publish: what strangers who name made-up ones can spend, what a restart remembers, and when a key is asked for again.</summary>
public sealed class RemoteKeysTests : IDisposable
{
    private readonly TempDirectory _state = new();
    private readonly LogCapture _log = new();

    public static TheoryData<string> Vendors => ["paypal", "plaid", "aws-sns"];

    public void Dispose() => _state.Dispose();

    [Theory]
    [MemberData(nameof(Vendors))]
    public async Task Strangers_who_name_random_keys_do_not_keep_an_authentic_event_out(string vendor)
    {
        var bench = new Bench(this, vendor);

        await bench.FloodAsync(addresses: 1, requests: 100);
        Assert.Equal(KeyFetchBudget.AddressBurst, bench.Asked);
        await bench.FloodAsync(addresses: 8, requests: 10);
        Assert.InRange(bench.Asked, 8, KeyFetchBudget.RouteBurst);

        Bench.Passes(await bench.DecideAsync());
    }

    [Theory]
    [MemberData(nameof(Vendors))]
    public async Task A_key_that_was_good_before_is_fetched_whatever_strangers_have_spent(string vendor)
    {
        var bench = new Bench(this, vendor);
        Bench.Passes(await bench.DecideAsync());
        bench.Clock.Value += TimeSpan.FromHours(25);

        await bench.FloodAsync(addresses: 200, requests: 2);
        Refused(RejectReason.SigningKeyUnavailable, await bench.DecideStrangerAsync(Address(9000), 9_000_000));

        Bench.Passes(await bench.DecideAsync());
    }

    [Theory]
    [MemberData(nameof(Vendors))]
    public async Task After_a_restart_a_kept_key_needs_no_publisher_and_strangers_spend_none_of_it(string vendor)
    {
        var before = new Bench(this, vendor);
        before.Keys.KeepIn(_state.Path);
        Bench.Passes(await before.DecideAsync());
        await before.Keys.Saved;

        var after = new Bench(this, vendor) { IsDown = true };
        after.Keys.KeepIn(_state.Path);
        await after.FloodAsync(addresses: 200, requests: 2);
        var asked = after.Asked;

        Bench.Passes(await after.DecideAsync());
        Assert.Equal(asked, after.Asked);
        Assert.Empty(_log.WithEvent(4003));

        // Its time is up meanwhile: still a name that was good before.
        var later = new Bench(this, vendor);
        later.Clock.Value += TimeSpan.FromHours(25);
        later.Keys.KeepIn(_state.Path);
        await later.FloodAsync(addresses: 200, requests: 2);
        Bench.Passes(await later.DecideAsync());
    }

    [Theory]
    [MemberData(nameof(Vendors))]
    public async Task What_is_kept_holds_nothing_secret_and_is_for_its_owner_alone(string vendor)
    {
        var bench = new Bench(this, vendor);
        bench.Keys.KeepIn(_state.PathOf("made/when/missing"));
        Bench.Passes(await bench.DecideAsync());
        await bench.Keys.Saved;

        var file = Assert.Single(Directory.GetFiles(_state.PathOf("made/when/missing")));
        var text = await File.ReadAllTextAsync(file);
        var answer = Encoding.UTF8.GetString(JsonNode.Parse(text)!["Answer"]!.GetValueKind() == System.Text.Json.JsonValueKind.String
            ? Convert.FromBase64String((string)JsonNode.Parse(text)!["Answer"]!) : []);
        Assert.Equal(bench.Vector.Keys!.Values.Single(), answer);
        foreach (var secret in bench.Vector.Secret.Split(':').Where(static part => part.Length > 5))
        {
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, file, StringComparison.Ordinal);
        }

        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    public static TheoryData<string, Func<string, string>> Damages => new()
    {
        { "cut off", static text => text[..(text.Length / 2)] },
        { "empty", static _ => "" },
        { "no JSON", static _ => "-----BEGIN CERTIFICATE-----" },
        { "another version", static text => text.Replace("\"Version\":1", "\"Version\":2", StringComparison.Ordinal) },
        { "another key's file", static text => Edit(text, "Name", new string('0', 64)) },
        { "from the future", static text => Edit(text, "FetchedAt", "2199-01-01T00:00:00+00:00") },
        { "too large", static text => Edit(text, "Answer", Convert.ToBase64String(new byte[200_000])) },
        { "answer of half the size",
            static text => Edit(text, "Answer", Convert.ToBase64String(Convert.FromBase64String((string)JsonNode.Parse(text)!["Answer"]!)[..600])) },
        { "no base64", static text => Edit(text, "Answer", "!!") },
        { "null", static _ => "null" },
        { "another domain's certificate",
            static text => Edit(text, "Answer", Convert.ToBase64String(Encoding.ASCII.GetBytes(VendorVector.Load("aws-sns").Keys!.Values.Single()))) },
        { "a list", static _ => "[1]" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task A_damaged_file_is_ignored_with_one_line_and_the_key_fetched_anew(string what, Func<string, string> damage)
    {
        var before = new Bench(this, "paypal");
        before.Keys.KeepIn(_state.Path);
        Bench.Passes(await before.DecideAsync());
        await before.Keys.Saved;
        var file = Assert.Single(Directory.GetFiles(_state.Path));
        var sound = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, damage(sound));

        var after = new Bench(this, "paypal");
        after.Keys.KeepIn(_state.Path);
        Bench.Passes(await after.DecideAsync());
        Bench.Passes(await after.DecideAsync());
        await after.Keys.Saved;

        Assert.True(_log.WithEvent(4003).Count == 1, what);
        Assert.Equal(1, after.Asked);
        Assert.Equal(sound, await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task A_state_directory_that_cannot_be_used_costs_the_copy_and_nothing_else()
    {
        var bench = new Bench(this, "paypal");
        bench.Keys.KeepIn(_state.Write("a-file", "in the way"));

        Bench.Passes(await bench.DecideAsync());
        await bench.Keys.Saved;

        Assert.Single(_log.WithEvent(4005));
    }

    [Fact]
    public async Task A_key_is_fetched_again_before_it_expires_and_stays_in_use_while_its_publisher_is_away()
    {
        var bench = new Bench(this, "paypal");
        bench.Keys.KeepIn(_state.Path);
        Bench.Passes(await bench.DecideAsync());
        await bench.RefreshAsync();
        Assert.Equal(1, bench.Asked);

        // Three quarters of a day.
        bench.Clock.Value += TimeSpan.FromHours(18);
        bench.IsDown = true;
        await bench.RefreshAsync();
        await bench.RefreshAsync();
        Assert.Equal(2, bench.Asked);
        Bench.Passes(await bench.DecideAsync());
        bench.IsDown = false;
        bench.Clock.Value += TimeSpan.FromMinutes(10);
        await bench.RefreshAsync();
        Assert.Equal(3, bench.Asked);
        await bench.Keys.Saved;
        Assert.Contains(bench.Clock.Value.ToString("yyyy-MM-ddTHH:mm", System.Globalization.CultureInfo.InvariantCulture),
            await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(_state.Path))), StringComparison.Ordinal);

        // A day after the first fetch, and its publisher away again: the second one counts.
        bench.Clock.Value += TimeSpan.FromHours(12);
        bench.IsDown = true;
        Bench.Passes(await bench.DecideAsync());
        Assert.Equal(3, bench.Asked);
    }

    [Fact]
    public async Task A_key_nobody_asks_for_is_not_refreshed_for_ever()
    {
        var bench = new Bench(this, "paypal");
        Bench.Passes(await bench.DecideAsync());

        for (var day = 0; day < 30; day++)
        {
            bench.Clock.Value += TimeSpan.FromDays(1);
            await bench.RefreshAsync();
        }

        Assert.InRange(bench.Asked, 6, 8);
        Bench.Passes(await bench.DecideAsync());
    }

    [Fact]
    public async Task A_publisher_that_says_no_such_key_of_one_that_was_good_is_asked_again_and_its_events_are_repeated()
    {
        var bench = new Bench(this, "paypal");
        Bench.Passes(await bench.DecideAsync());
        bench.Clock.Value += TimeSpan.FromHours(25);
        bench.Answers = null;

        Refused(RejectReason.SigningKeyUnavailable, await bench.DecideAsync());
        Refused(RejectReason.SigningKeyUnavailable, await bench.DecideAsync());
        Assert.Equal(2, bench.Asked);
        bench.Answers = bench.Vector.Keys;
        bench.Clock.Value += RemoteKeys.TryAgainAfter;
        Bench.Passes(await bench.DecideAsync());
    }

    [Fact]
    public async Task A_flood_of_unknown_keys_writes_a_line_a_minute()
    {
        var bench = new Bench(this, "paypal");

        await bench.FloodAsync(addresses: 50, requests: 20);
        var line = Assert.Single(_log.WithEvent(4002));
        bench.Clock.Value += KeyFetchBudget.TellEvery;
        await bench.FloodAsync(addresses: 50, requests: 20);

        Assert.Equal(1L, line["Count"]);
        Assert.Equal(2, _log.WithEvent(4002).Count);
        Assert.True((long)_log.WithEvent(4002)[1]["Count"]! > 900);
        Assert.True(_log.Entries.Count(static e => e.Level > LogLevel.Debug) < 10, _log.Everything);
    }

    [Fact]
    public async Task Keys_that_proved_nothing_push_out_none_that_did()
    {
        var bench = new Bench(this, "paypal") { AnswersAnything = true };
        Bench.Passes(await bench.DecideAsync());

        for (var i = 0; i < 40; i++)
        {
            bench.Clock.Value += TimeSpan.FromMinutes(1);
            Refused(RejectReason.SignatureMismatch, await bench.DecideStrangerAsync(Address(i), i));
        }

        var asked = bench.Asked;
        Bench.Passes(await bench.DecideAsync());
        Assert.Equal(asked, bench.Asked);
    }

    [Fact]
    public async Task Without_a_fetch_a_name_that_is_missing_stays_missing_and_the_budget_comes_back_with_time()
    {
        var bench = new Bench(this, "paypal");
        var stranger = Address(1);
        Refused(RejectReason.SignatureMismatch, await bench.DecideStrangerAsync(stranger, 1));
        Refused(RejectReason.SignatureMismatch, await bench.DecideStrangerAsync(stranger, 1));
        Assert.Equal(1, bench.Asked);
        await bench.FloodAsync(addresses: 1, requests: 20);
        Assert.Equal(KeyFetchBudget.AddressBurst, bench.Asked);

        bench.Clock.Value += KeyFetchBudget.AddressPace;
        await bench.FloodAsync(addresses: 1, requests: 20, from: 100);
        Assert.Equal(KeyFetchBudget.AddressBurst + 1, bench.Asked);
    }

    [Fact]
    public void Addresses_that_were_proved_have_a_purse_of_their_own_and_an_ipv6_network_is_one_address()
    {
        var clock = new CodeBench.StillTime(SchemeHarness.Now);
        var budget = new KeyFetchBudget(clock);
        budget.Proved("route", Address(1));
        for (var i = 100; i < 200; i++)
        {
            budget.TryTake("route", Address(i), out _);
        }

        Assert.False(budget.TryTake("route", Address(300), out _));
        Assert.True(budget.TryTake("route", Address(1), out _));
        Assert.True(budget.TryTake("another", Address(300), out _));

        var network = new KeyFetchBudget(clock);
        var granted = Enumerable.Range(0, 100).Count(i => network.TryTake("route", ClientAddress.From(IPAddress.Parse($"2001:db8:7:{i:x}::1")), out _));
        Assert.Equal(KeyFetchBudget.AddressBurst, granted);
    }

    [Fact]
    public async Task The_refresher_looks_every_minute()
    {
        var clock = new TestClock();
        var asked = new System.Threading.Channels.BoundedChannelOptions(8);
        var channel = System.Threading.Channels.Channel.CreateBounded<string>(asked);
        var source = new KeySource("", url => { channel.Writer.TryWrite(url); return new(HttpMethod.Get, url); },
            static (_, at) => new(NoKey.Instance, at + TimeSpan.FromMinutes(10)));
        var answers = new CodeBench.CannedAnswers(new Dictionary<string, string> { ["https://keys.example/1"] = "x" });
        await using var keys = new RemoteKeys(new HttpMessageInvoker(answers), clock, _log.CreateLogger<RemoteKeys>());
        var question = source.Ask("https://keys.example/1", "route", default);
        Assert.Equal(KeyFetch.Found, (await keys.GetAsync(question, CancellationToken.None)).Result);
        keys.Proved(question);
        Assert.Equal("https://keys.example/1", await channel.Reader.ReadAsync());

        using var refresher = new KeyRefresher(keys, clock);
        var armed = clock.TimersArmed(1);
        await refresher.StartAsync(CancellationToken.None);
        await armed;
        clock.Advance(TimeSpan.FromMinutes(8));

        Assert.Equal("https://keys.example/1", await Deadline.WaitAsync(channel.Reader.ReadAsync().AsTask(), "the key to be fetched again"));
        await refresher.StopAsync(CancellationToken.None);
    }

    private static ClientAddress Address(int number) => ClientAddress.FromIPv4(0xCB007100u + (uint)number);

    private static string Edit(string text, string field, string value)
    {
        var node = JsonNode.Parse(text)!;
        node[field] = value;
        return node.ToJsonString();
    }

    private sealed class NoKey : IPublicKey
    {
        public static readonly NoKey Instance = new();

        public string Id => "";

        public bool Verifies(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => false;
    }

    /// <summary>One vendor's authentic event from its address, and strangers' events that name keys they made up.</summary>
    private sealed class Bench : HttpMessageHandler
    {
        /// <summary>Of PayPal, and not the one that signed.</summary>
        private static readonly Lazy<string> AnotherCertificate = new(static () =>
        {
            using var key = RSA.Create(2048);
            var request = new CertificateRequest("CN=messageverificationcerts.paypal.com", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
            return certificate.ExportCertificatePem();
        });

        private int _asked;

        public Bench(RemoteKeysTests test, string vendor)
        {
            Vector = VendorVector.Load(vendor);
            Answers = Vector.Keys;
            Clock = new(DateTimeOffset.FromUnixTimeSeconds(Vector.Now));
            Keys = new(new HttpMessageInvoker(this), Clock, test._log.CreateLogger<RemoteKeys>());
        }

        public VendorVector Vector { get; }

        public CodeBench.StillTime Clock { get; }

        public RemoteKeys Keys { get; }

        public IReadOnlyDictionary<string, string>? Answers { get; set; }

        public bool AnswersAnything { get; set; }

        public bool IsDown { get; set; }

        public int Asked => Volatile.Read(ref _asked);

        public static void Passes(Verdict verdict) => Assert.True(verdict.Passed, $"{verdict.Reason}: {verdict.Detail}");

        public Task RefreshAsync() => Keys.RefreshDueAsync(CancellationToken.None);

        /// <summary>The vendor's own, from the vendor's address.</summary>
        public async Task<Verdict> DecideAsync() => (await CodeBench.DecideAsync(Vector, keys: Keys, client: Address(250))).Verdict;

        public async Task<Verdict> DecideStrangerAsync(ClientAddress from, int number)
        {
            var name = $"{number:x8}-0000-4000-8000-{number:x12}";
            switch (Vector.Scheme!.Kind)
            {
                case "paypal":
                    return (await CodeBench.DecideAsync(Vector, keys: Keys, client: from,
                        headers: ("PAYPAL-CERT-URL", "https://api.paypal.com/v1/notifications/certs/CERT-" + name))).Verdict;
                case "plaid":
                    var token = Vector.Headers["Plaid-Verification"].Split('.');
                    token[0] = Convert.ToBase64String(Encoding.ASCII.GetBytes($$"""{"alg":"ES256","kid":"{{name}}","typ":"JWT"}""")).TrimEnd('=')
                        .Replace('+', '-').Replace('/', '_');
                    return (await CodeBench.DecideAsync(Vector, keys: Keys, client: from, headers: ("Plaid-Verification", string.Join('.', token)))).Verdict;
                default:
                    var body = JsonNode.Parse(Vector.Body)!;
                    body["SigningCertURL"] = $"https://sns.us-west-2.amazonaws.com/SimpleNotificationService-{number:x32}.pem";
                    return (await CodeBench.DecideAsync(Vector, body: body.ToJsonString(), keys: Keys, client: from)).Verdict;
            }
        }

        /// <summary>Each address names that many keys of which there are none.</summary>
        public async Task FloodAsync(int addresses, int requests, int from = 0)
        {
            for (var request = 0; request < requests; request++)
            {
                for (var address = 0; address < addresses; address++)
                {
                    var verdict = await DecideStrangerAsync(Address(1 + address), from + (address * 1000) + request + 1);
                    Assert.True(verdict.Reason is RejectReason.SignatureMismatch or RejectReason.SigningKeyUnavailable, $"{verdict.Reason}: {verdict.Detail}");
                }
            }
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            var url = request.RequestUri!.AbsoluteUri;
            if (IsDown)
            {
                throw new HttpRequestException("down");
            }

            // Plaid's keys are asked for by the body.
            var known = Answers?.ContainsKey(url) == true
                && (Vector.Scheme!.Kind != "plaid"
                || (await request.Content!.ReadAsStringAsync(cancellationToken)).Contains("bfbd5111-", StringComparison.Ordinal));
            return known ? new(HttpStatusCode.OK) { Content = new StringContent(Answers!.Values.Single()) }
                : AnswersAnything ? new(HttpStatusCode.OK) { Content = new StringContent(AnotherCertificate.Value) }
                : new HttpResponseMessage(HttpStatusCode.NotFound);
        }
    }
}
