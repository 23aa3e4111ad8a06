using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Reload;

/// <summary>The background watcher, however the file comes to be another one. Time is the test's: each look is half a second of it.</summary>
public sealed class WatcherTests : IAsyncDisposable
{
    private static readonly string Removed = Hook.Routes().Replace("/hook", "/elsewhere", StringComparison.Ordinal);

    private readonly TestClock _clock = new();
    private readonly TestUpstream _upstream = TestUpstream.Start();
    private readonly TempDirectory _mount = new();

    [Fact]
    public async Task Takes_a_file_renamed_over_the_old_one()
    {
        await using var gateway = await StartAsync();

        var next = gateway.RoutesPath + ".tmp";
        await File.WriteAllTextAsync(next, gateway.Fill(Removed));
        File.Move(next, gateway.RoutesPath, overwrite: true);
        await TakenAsync(gateway);

        Assert.Equal(404, (await gateway.SendAsync(Hook.Event("two"))).Status);
    }

    [Fact]
    public async Task Takes_a_file_written_in_place_in_pieces_once_it_is_whole()
    {
        await using var gateway = await StartAsync();
        var revision = gateway.Reloader.Status.Revision;
        var text = gateway.Fill(Hook.Routes(""" "methods": ["PUT"] """));

        await using (var file = new StreamWriter(new FileStream(gateway.RoutesPath, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true })
        {
            foreach (var piece in text.Chunk(40))
            {
                // Every look finds another piece, until one piece stays for a while.
                await file.WriteAsync(piece);
                _clock.Advance(TimeSpan.FromMilliseconds(500));
                Assert.Equal(revision, gateway.Reloader.Status.Revision);
            }
        }

        await TakenAsync(gateway);
        Assert.Equal(405, (await gateway.SendAsync(Hook.Event("two"))).Status);
    }

    [Fact]
    public async Task Goes_on_with_the_old_one_while_half_a_file_stays_and_takes_the_whole_one_later()
    {
        await using var gateway = await StartAsync();
        var text = gateway.Fill(Removed);

        await File.WriteAllTextAsync(gateway.RoutesPath, text[..(text.Length / 2)]);
        await RefusedAsync(gateway);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
        var logged = gateway.Logs.WithEvent(5101).Count;
        for (var look = 0; look < 20; look++)
        {
            _clock.Advance(TimeSpan.FromMilliseconds(500));
        }

        Assert.Equal(logged, gateway.Logs.WithEvent(5101).Count);
        await File.WriteAllTextAsync(gateway.RoutesPath, text);
        await TakenAsync(gateway);
        Assert.Equal(404, (await gateway.SendAsync(Hook.Event("three"))).Status);
    }

    [Fact]
    public async Task Takes_what_Kubernetes_swaps_in_by_a_symbolic_link()
    {
        _mount.Write("..v1/secret", Hook.Secret);
        _mount.Link("..data", "..v1");
        _mount.Link("secret", "..data/secret");
        _mount.Link("routes.json", "..data/routes.json");
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes().Replace("{dir}", "{mount}", StringComparison.Ordinal), _upstream.Address, time: _clock,
            placeholders: new Dictionary<string, string> { ["{mount}"] = _mount.Path });
        var text = await File.ReadAllTextAsync(gateway.RoutesPath);
        _mount.Write("..v1/routes.json", text);
        File.Delete(gateway.RoutesPath);
        File.CreateSymbolicLink(gateway.RoutesPath, _mount.PathOf("routes.json"));
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();

        // The secret and the file change in one step.
        _mount.Write("..v2/secret", "another secret, no shorter than it");
        _mount.Write("..v2/routes.json", text.Replace("\"/hook\"", "\"/moved\"", StringComparison.Ordinal));
        _mount.Link("..data", "..v2");
        await TakenAsync(gateway);

        Assert.Equal(404, (await gateway.SendAsync(Hook.Event("two"))).Status);
        Assert.Equal(401, (await gateway.SendAsync(Hook.Event("two", path: "/moved"))).Status);
        (await gateway.SendAsync(Hook.Event("two", "another secret, no shorter than it", "/moved"))).AssertDelivered();
    }

    [Fact]
    public async Task Goes_on_while_the_file_is_gone_and_takes_it_when_it_is_back()
    {
        await using var gateway = await StartAsync();

        File.Delete(gateway.RoutesPath);
        await RefusedAsync(gateway);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
        await File.WriteAllTextAsync(gateway.RoutesPath, gateway.Fill(Removed));
        await TakenAsync(gateway);

        Assert.Equal(404, (await gateway.SendAsync(Hook.Event("three"))).Status);
    }

    [Fact]
    public async Task The_same_file_put_back_after_a_bad_one_ends_the_alarm()
    {
        await using var gateway = await StartAsync();
        var text = await File.ReadAllTextAsync(gateway.RoutesPath);

        await File.WriteAllTextAsync(gateway.RoutesPath, "{");
        await RefusedAsync(gateway);
        await File.WriteAllTextAsync(gateway.RoutesPath, text);
        await AdvanceUntilAsync(() => gateway.Reloader.Status.Successful, "the good file is in force again");

        Assert.Equal(1, gateway.Metrics.Observe("webhookedge.config.last_reload_successful"));
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
    }

    [Fact]
    public async Task Takes_a_changed_secret_file_and_keeps_the_old_one_while_it_is_gone_or_empty()
    {
        await using var gateway = await StartAsync();

        File.Delete(Path.Combine(gateway.Directory, "secret"));
        await RefusedAsync(gateway);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();
        gateway.WriteSecret("secret", "\n");
        await AdvanceUntilAsync(() => gateway.Reloader.Status.Problems.Any(static p => p.Message.Contains("empty", StringComparison.Ordinal)),
            "the empty secret is refused");
        (await gateway.SendAsync(Hook.Event("three"))).AssertDelivered();
        gateway.WriteSecret("secret", "the-secret-after-the-rotation-000\n");
        await TakenAsync(gateway);

        Assert.Equal(401, (await gateway.SendAsync(Hook.Event("four"))).Status);
        (await gateway.SendAsync(Hook.Event("four", "the-secret-after-the-rotation-000"))).AssertDelivered();
    }

    /// <summary>A FIFO once kept the watcher for ever: no reload was taken after it, and the gateway did not stop.</summary>
    [Theory]
    [InlineData("secret")]
    [InlineData("routes.json")]
    public async Task A_fifo_in_place_of_a_file_is_refused_and_the_next_good_file_is_taken(string name)
    {
        await using var gateway = await StartAsync();
        var path = Path.Combine(gateway.Directory, name);
        var good = await File.ReadAllTextAsync(path);
        File.Delete(path);
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [path]))
        {
            await mkfifo.WaitForExitAsync();
        }

        await RefusedAsync(gateway);
        (await gateway.SendAsync(Hook.Event("two"))).AssertDelivered();

        File.Delete(path);
        await File.WriteAllTextAsync(path, good);
        await AdvanceUntilAsync(() => gateway.Reloader.Status.Successful, "the file is taken again");
    }

    /// <summary>The secret files are known only once the file was compiled, and everything was once read and compiled twice for that.</summary>
    [Fact]
    public async Task What_was_read_at_the_start_is_not_read_again_until_it_changes()
    {
        await using var gateway = await StartAsync();
        var first = gateway.Reloader.Status;

        Assert.False(await gateway.Reloader.ReloadOnceAsync(CancellationToken.None));
        Assert.Same(first, gateway.Reloader.Status);

        gateway.WriteSecret("secret", "another-secret-of-thirty-two-bytes");
        Assert.True(await gateway.Reloader.ReloadOnceAsync(CancellationToken.None));
        var second = gateway.Reloader.Status;
        Assert.False(await gateway.Reloader.ReloadOnceAsync(CancellationToken.None));
        Assert.Same(second, gateway.Reloader.Status);
    }

    public async ValueTask DisposeAsync()
    {
        await _upstream.DisposeAsync();
        _mount.Dispose();
    }

    private async Task<TestGateway> StartAsync()
    {
        var gateway = await TestGateway.StartAsync(Hook.Routes(), _upstream.Address, Hook.Secrets, _clock);
        (await gateway.SendAsync(Hook.Event("one"))).AssertDelivered();
        return gateway;
    }

    private Task TakenAsync(TestGateway gateway)
    {
        var revision = gateway.Reloader.Status.Revision;
        return AdvanceUntilAsync(() => gateway.Reloader.Status.Revision != revision, "the new revision is in force");
    }

    private Task RefusedAsync(TestGateway gateway) => AdvanceUntilAsync(() => !gateway.Reloader.Status.Successful, "the file is refused");

    private Task AdvanceUntilAsync(Func<bool> condition, string what) => Deadline.UntilAsync(
        () =>
        {
            _clock.Advance(TimeSpan.FromMilliseconds(500));
            return condition();
        },
        what);
}
