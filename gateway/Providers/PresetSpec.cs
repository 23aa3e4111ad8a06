using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Providers;

/// <summary>A provider's entry in the catalogue: embedded data, one file a provider, with the same words as routes.json.</summary>
internal sealed record PresetSpec
{
    public required string Name { get; init; }

    public required string Title { get; init; }

    /// <summary>The provider's own documentation.</summary>
    public required string Docs { get; init; }

    /// <summary><c>confirmed</c> (seen in the provider's own document or SDK) or <c>unconfirmed</c>.</summary>
    public required string Status { get; init; }

    public required SchemeSpec Scheme { get; init; }

    /// <summary>Source addresses that the sender's own page tells receivers to insist on: the default of a route's <c>allow</c>. Null = none.</summary>
    public IReadOnlyList<string>? Allow { get; init; }

    /// <summary>
    /// Addresses that a route may ask for by the preset's name (<c>"allow": ["github"]</c>) and gets only then: lists to be fetched, and lists that someone
    /// else than the sender wrote down. Null = none known.
    /// </summary>
    public AddressSetSpec? Sources { get; init; }

    /// <summary>
    /// What tells the sender's events apart: the default of a route's <c>replay</c>, key by key. <c>"off"</c> for a sender
    /// whose events carry nothing that does.
    /// </summary>
    public ReplaySpec? Replay { get; init; }

    /// <summary>The challenge that the sender poses when a URL is registered, by name; null = none.</summary>
    public string? Handshake { get; init; }

    /// <summary>Statuses the sender insists on, by reason slug (Xero: 401 for a bad signature).</summary>
    public Dictionary<string, int>? Refuse { get; init; }

    /// <summary>
    /// Where the facts are from: <c>sdk</c> (the sender's own SDK was run), <c>doc</c> (its own page), <c>code</c> (public code quotes it), <c>registry</c>
    /// (another catalogue).
    /// </summary>
    public string? Evidence { get; init; }

    /// <summary>What the sender does for a living, for the catalogue page: identity, payments, messaging, ….</summary>
    public string? Category { get; init; }

    /// <summary>What the sender does after a failure; null = not documented.</summary>
    public RetrySpec? Retries { get; init; }

    /// <summary>What an operator should know, in one or two sentences.</summary>
    public string? Notes { get; init; }

    /// <summary>
    /// The longest an answer takes when a route names no <c>timeout</c>: 8.5 s, below the 10 s many senders wait, and 85 % of the wait of a sender with
    /// less patience. An answer that comes too late is a failed delivery that succeeded.
    /// </summary>
    public static TimeSpan DefaultTimeout(PresetSpec? preset)
    {
        var usual = TimeSpan.FromSeconds(8.5);
        return preset?.Retries?.Timeout is { } patience && patience.Value * 0.85 < usual ? patience.Value * 0.85 : usual;
    }
}

internal sealed record RetrySpec
{
    public Duration? Timeout { get; init; }

    /// <summary>Attempts of one event, the first included.</summary>
    public int? Attempts { get; init; }

    /// <summary>
    /// Failed deliveries in a row after which the sender switches the webhook off; null = no number is documented. Where the document leaves open whether it
    /// counts those of one event or of all, the harsher reading.
    /// </summary>
    public int? SwitchesOffAfter { get; init; }

    /// <summary>The page that says the numbers; without one they are hearsay, and nobody is woken on their account.</summary>
    public string? Source { get; init; }

    public string? After { get; init; }

    /// <summary>What becomes of an event that was answered 4xx: <c>retried</c> or <c>dropped</c>; null = not documented.</summary>
    public string? ClientErrors { get; init; }
}
