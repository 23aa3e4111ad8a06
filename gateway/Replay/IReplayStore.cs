using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

internal enum ClaimState
{
    /// <summary>The key was absent and is now the caller's until it commits, releases, or the lease runs out.</summary>
    Claimed,

    /// <summary>Somebody holds it and has not settled yet.</summary>
    InFlight,

    /// <summary>The event was delivered and is remembered.</summary>
    Done,

    /// <summary>The store is there and says nothing of use about this key: somebody else's value lies there, say. The key is not the caller's.</summary>
    Unknown,
}

/// <summary>What a store says to a claim.</summary>
/// <param name="Owner">Who holds the key; for <see cref="ClaimState.InFlight"/> only.</param>
/// <param name="Status">What the upstream answered then; for <see cref="ClaimState.Done"/> only.</param>
/// <param name="Trace">Which span delivered it; for <see cref="ClaimState.Done"/> only, and only if that was traced.</param>
internal readonly record struct ClaimAnswer(ClaimState State, ulong Owner = 0, int Status = 0, TraceRef Trace = default);

/// <summary>
/// Remembers deliveries: <c>ABSENT → PENDING(owner, lease) → DONE(ttl)</c>, one key per event. Called by <see cref="ResilientReplayStore"/>
/// concurrently and never with a request's cancellation token. Every method throws <see cref="ReplayStoreException"/> when the store cannot
/// be reached or refuses; the outcome is then unknown, and the command may yet take effect unless the store answered.
/// </summary>
internal interface IReplayStore
{
    /// <summary>ABSENT → PENDING, atomically: of any number of concurrent claims one is told <see cref="ClaimState.Claimed"/>.</summary>
    /// <param name="lease">At least a millisecond; afterwards the key is ABSENT again.</param>
    ValueTask<ClaimAnswer> ClaimAsync(EventKey key, ulong owner, TimeSpan lease);

    /// <summary>Any state → DONE, whoever holds the key: that the upstream accepted the event is a fact. May be repeated.</summary>
    /// <param name="trace">The delivery's span; <c>default</c> when it was not traced.</param>
    ValueTask CommitAsync(EventKey key, int status, TimeSpan ttl, TraceRef trace = default);

    /// <summary>PENDING → ABSENT if <paramref name="owner"/> still holds the key; answers whether it did.</summary>
    ValueTask<bool> ReleaseAsync(EventKey key, ulong owner);

    /// <summary>Any state → ABSENT, so that a provider's manual resend gets through; answers whether there was anything to forget.</summary>
    ValueTask<bool> ForgetAsync(EventKey key);
}

/// <summary>A store could not be reached, or refused. The message is fit for a log: an error code or a constant, no key and no credential.</summary>
internal sealed class ReplayStoreException : Exception
{
    /// <summary>
    /// False when the store is there and answered, and what it said is of no use: a value that is not ours at one key, say. Such an answer tells nothing of
    /// other keys.
    /// </summary>
    public bool IsAway { get; init; } = true;

    public ReplayStoreException(string message)
        : base(message)
    {
    }

    public ReplayStoreException()
    {
    }

    public ReplayStoreException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
