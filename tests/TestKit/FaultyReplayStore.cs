using WebhookEdge.Observability;
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

    public int Calls => Volatile.Read(ref _calls);

    public bool IsDisposed { get; private set; }

    public ValueTask<ClaimAnswer> ClaimAsync(ReplayKey key, ulong owner, TimeSpan lease) => RunAsync(() => _inner.ClaimAsync(key, owner, lease));

    public async ValueTask CommitAsync(ReplayKey key, int status, TimeSpan ttl, TraceRef trace = default) => await RunAsync(async () =>
    {
        await _inner.CommitAsync(key, status, ttl, trace);
        return true;
    });

    public ValueTask<bool> ReleaseAsync(ReplayKey key, ulong owner) => RunAsync(() => _inner.ReleaseAsync(key, owner));

    public ValueTask<bool> ForgetAsync(ReplayKey key) => RunAsync(() => _inner.ForgetAsync(key));

    public void Dispose() => IsDisposed = true;

    private async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> command)
    {
        Interlocked.Increment(ref _calls);
        if (Away)
        {
            throw new ReplayStoreException("away");
        }

        var answer = await command();
        return LosesAnswers ? throw new ReplayStoreException("answer lost") : answer;
    }
}
