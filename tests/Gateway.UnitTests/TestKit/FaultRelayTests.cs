using System.Diagnostics;
using System.Net.Sockets;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.TestKit;

public sealed class FaultRelayTests : IAsyncLifetime
{
    private readonly TestUpstream _upstream = TestUpstream.Start();
    private readonly FaultRelay _relay;

    public FaultRelayTests()
    {
        _relay = FaultRelay.Start(_upstream.EndPoint);
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _relay.DisposeAsync();
        await _upstream.DisposeAsync();
    }

    [Fact]
    public async Task Passes_bytes_both_ways()
    {
        var response = await RawHttpClient.SendOnceAsync(_relay.EndPoint, RawRequest.Post("/through", "body"));

        Assert.Equal("taken", response.BodyText);
        Assert.Equal("/through", Assert.Single(_upstream.Requests).Target);
        Assert.Equal(_upstream.BytesReceived, _relay.BytesToTarget);
    }

    [Fact]
    public async Task Cut_resets_both_sides_and_accepts_again()
    {
        _upstream.Respond(UpstreamAnswer.Never);
        await using var client = await RawHttpClient.ConnectAsync(_relay.EndPoint);
        await client.SendAsync(RawRequest.Post("/1"));
        await _upstream.WaitForRequestAsync();

        _relay.Cut();
        var (_, orderly) = await client.ReadToCloseAsync();
        await Deadline.UntilAsync(() => _upstream.OpenConnections == 0 && _relay.OpenConnections == 0, "both sides are gone");
        _upstream.Respond(UpstreamAnswer.Ok);
        var again = await RawHttpClient.SendOnceAsync(_relay.EndPoint, RawRequest.Post("/2"));

        Assert.False(orderly);
        Assert.Equal(200, again.Status);
    }

    [Fact]
    public async Task Refuse_refuses_until_healed()
    {
        _relay.Refuse();
        var refused = await Assert.ThrowsAsync<SocketException>(() => RawHttpClient.ConnectAsync(_relay.EndPoint));
        _relay.Heal();
        var response = await RawHttpClient.SendOnceAsync(_relay.EndPoint, RawRequest.Post("/"));

        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        Assert.Equal(200, response.Status);
        Assert.Equal(1, _upstream.ConnectionCount);
    }

    [Fact]
    public async Task A_target_that_refuses_looks_like_a_reset()
    {
        _upstream.StopListening();

        // The reset may arrive before the client has seen its connection come to be; then connecting fails with it.
        var reset = await Record.ExceptionAsync(() => RawHttpClient.SendOnceAsync(_relay.EndPoint, RawRequest.Post("/")));

        var error = (reset as SocketException ?? reset?.InnerException as SocketException)?.SocketErrorCode;
        Assert.True(error is SocketError.ConnectionReset or SocketError.Shutdown, reset?.ToString() ?? "an answer came");
    }

    [Fact]
    public async Task Freeze_holds_everything_and_heal_lets_it_go_in_order()
    {
        await using var client = await RawHttpClient.ConnectAsync(_relay.EndPoint);
        await client.ExchangeAsync(RawRequest.Post("/0"));
        var before = _upstream.BytesReceived;

        _relay.Apply(new Freeze());
        await client.SendAsync(RawRequest.Post("/1"));
        await client.SendAsync(RawRequest.Post("/2"));
        await using var unfrozen = await RawHttpClient.ConnectAsync(_upstream.EndPoint);
        await unfrozen.ExchangeAsync(RawRequest.Post("/beside"));
        var frozen = _upstream.Requests.Count(request => request.Connection == 1);
        _relay.Heal();
        await client.ReadResponseAsync();
        await client.ReadResponseAsync();

        Assert.Equal(1, frozen);
        Assert.True(_upstream.BytesReceived > before);
        Assert.Equal(["/0", "/1", "/2"], _upstream.Requests.Where(request => request.Connection == 1).Select(request => request.Target));
    }

    [Fact]
    public async Task A_freeze_of_one_direction_leaves_the_other()
    {
        _relay.Apply(new Freeze(), RelayDirection.ToClient);
        await using var client = await RawHttpClient.ConnectAsync(_relay.EndPoint);
        await client.SendAsync(RawRequest.Post("/"));

        await _upstream.WaitForRequestAsync();
        var reading = client.ReadResponseAsync();
        Assert.False(reading.IsCompleted);
        _relay.Apply(new PassThrough(), RelayDirection.ToClient);

        Assert.Equal(200, (await reading).Status);
    }

    [Fact]
    public async Task Slices_change_nothing_but_the_segments()
    {
        _relay.Apply(new Slice());

        var response = await RawHttpClient.SendOnceAsync(_relay.EndPoint, RawRequest.Post("/", new string('s', 500)).Chunked(100, 7));

        Assert.Equal("taken", response.BodyText);
        Assert.Equal(new string('s', 500), Assert.Single(_upstream.Requests).BodyText);
    }

    [Fact]
    public async Task Latency_delays_at_least_as_long_as_told()
    {
        _relay.Apply(new Latency(TimeSpan.FromMilliseconds(20)));
        var watch = Stopwatch.StartNew();

        await RawHttpClient.SendOnceAsync(_relay.EndPoint, RawRequest.Post("/"));

        Assert.True(watch.ElapsedMilliseconds >= 38, $"{watch.ElapsedMilliseconds} ms for two delays of 20");
    }

    [Fact]
    public async Task A_black_hole_takes_bytes_and_delivers_none()
    {
        _relay.Apply(new Blackhole(), RelayDirection.ToTarget);
        await using var client = await RawHttpClient.ConnectAsync(_relay.EndPoint);

        await client.SendAsync(RawRequest.Post("/"));
        client.HalfClose();
        var (rest, _) = await client.ReadToCloseAsync();

        Assert.Empty(rest);
        Assert.Equal(0, _upstream.BytesReceived);
    }

    [Fact]
    public async Task Half_close_ends_one_direction_only()
    {
        var release = new TaskCompletionSource();
        _upstream.Respond(UpstreamAnswer.Ok.HeldUntil(release.Task));
        await using var client = await RawHttpClient.ConnectAsync(_relay.EndPoint);
        await client.SendAsync(RawRequest.Post("/"));
        await _upstream.WaitForRequestAsync();

        _relay.HalfClose(RelayDirection.ToTarget);
        release.SetResult();
        var response = await client.ReadResponseAsync();

        // The upstream answered after the FIN, then saw the end of its input and closed.
        Assert.Equal(200, response.Status);
        await Deadline.UntilAsync(() => _upstream.OpenConnections == 0, "the upstream saw the FIN");
    }
}
