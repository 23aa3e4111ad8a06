using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;

namespace WebhookEdge.TestKit;

/// <summary>A store that can be away, or lose its answers, at a test's command. Counts what it is asked.</summary>
internal sealed class FaultyReplayStore(TimeProvider time) : IReplayStore, IDisposable
{
    private readonly IReplayStore _inner = new MemoryReplayStore(time, 100_000);
    private int _calls;

    /// <summary>Commands fail and take no effect.</summary>
    public bool Away { get; set; }

    /// <summary>Commands take effect, and the caller is told they failed: a deadline that passed.</summary>
    public bool LosesAnswers { get; set; }

    /// <summary>Keys under which somebody else's value lies: commands on them are answered, and the answer is of no use.</summary>
    public HashSet<EventKey> Foreign { get; } = [];

    /// <summary>Commands sent from now on take effect when this completes; null = at once.</summary>
    public Task? Until { get; set; }

    public int Calls => Volatile.Read(ref _calls);

    public bool IsDisposed { get; private set; }

    public ValueTask<ClaimAnswer> ClaimAsync(EventKey key, ulong owner, TimeSpan lease) => RunAsync(key, () => _inner.ClaimAsync(key, owner, lease));

    public async ValueTask CommitAsync(EventKey key, int status, TimeSpan ttl, TraceRef trace = default) => await RunAsync(key, async () =>
    {
        await _inner.CommitAsync(key, status, ttl, trace);
        return true;
    });

    public ValueTask<bool> ReleaseAsync(EventKey key, ulong owner) => RunAsync(key, () => _inner.ReleaseAsync(key, owner));

    public ValueTask<bool> ForgetAsync(EventKey key) => RunAsync(key, () => _inner.ForgetAsync(key));

    public void Dispose() => IsDisposed = true;

    private async ValueTask<T> RunAsync<T>(EventKey key, Func<ValueTask<T>> command)
    {
        Interlocked.Increment(ref _calls);
        if (Until is { } until)
        {
            await until;
        }

        if (Away)
        {
            throw new ReplayStoreException("away");
        }

        if (Foreign.Contains(key))
        {
            throw new ReplayStoreException("WRONGTYPE") { IsAway = false };
        }

        var answer = await command();
        return LosesAnswers ? throw new ReplayStoreException("answer lost") : answer;
    }
}
