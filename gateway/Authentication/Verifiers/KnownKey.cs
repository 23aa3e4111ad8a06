namespace WebhookEdge.Authentication.Verifiers;

/// <summary>A publisher's key as <see cref="RemoteKeys"/> knows it: when it was asked for, and when to ask again.</summary>
internal sealed class KnownKey(KeySource source, string name, string fullName)
{
    /// <summary>The source that asked last: credentials may have changed since.</summary>
    public KeySource Source { get; set; } = source;

    public string Name => name;

    public string FullName => fullName;

    public RemoteKey? Key { get; private set; }

    public KeptAnswer? Kept { get; private set; }

    /// <summary>A delivery held under this key, now or before the last restart.</summary>
    public bool Proved { get; set; }

    public DateTimeOffset AskedAt { get; set; }

    public DateTimeOffset RefreshAt { get; set; } = DateTimeOffset.MaxValue;

    public DateTimeOffset TryAgainAt { get; set; }

    public void Take(RemoteKey key, KeptAnswer kept)
    {
        (Key, Kept) = (key, kept);

        // Time for a dozen attempts stays when the publisher is away.
        RefreshAt = kept.FetchedAt + ((key.UsableUntil - kept.FetchedAt) * 0.75);
    }
}
