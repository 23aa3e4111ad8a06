using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes;

/// <summary>
/// How a route treats duplicates, after merging: key by key what the route writes, else what its provider's preset says, else the default. The one
/// place where the three meet; whoever asks what a route's replay protection does asks here.
/// </summary>
internal sealed record ResolvedReplay
{
    /// <summary>How long a delivered event is remembered when nothing says otherwise.</summary>
    public static readonly Duration DefaultTtl = new(TimeSpan.FromHours(72));

    /// <summary>Duplicates are not recognised on this route.</summary>
    public bool IsOff { get; private init; }

    /// <summary>
    /// The preset has no key that would tell its sender's events apart, the route names none either, and so what else the route writes under
    /// <c>replay</c> has no effect.
    /// </summary>
    public bool IsOffByPreset { get; private init; }

    /// <summary>The parts of the key as written; null = the signed id where a check of the route signs one, else the body.</summary>
    public IReadOnlyList<string>? Key { get; private init; }

    /// <summary>The sender's preset names this very key, so somebody has looked whether it tells the sender's events apart.</summary>
    public bool IsVouchedFor { get; private init; }

    public Duration Ttl { get; private init; } = DefaultTtl;

    /// <summary>Refuse while the store is away.</summary>
    public bool Closed { get; private init; }

    /// <summary>Duplicates are recorded and forwarded.</summary>
    public bool Observes { get; private init; }

    /// <param name="written">The route's <c>replay</c>; null = not written.</param>
    /// <param name="preset">The preset of the route's <c>provider</c>; null without one.</param>
    public static ResolvedReplay Of(ReplaySpec? written, PresetSpec? preset)
    {
        if (written?.Word == "off")
        {
            return new() { IsOff = true };
        }

        var own = written?.Options;
        if (own?.Key is null && preset?.Replay?.Word == "off")
        {
            return new() { IsOff = true, IsOffByPreset = true };
        }

        var inherited = preset?.Replay?.Options;
        return new()
        {
            Key = own?.Key ?? inherited?.Key,
            IsVouchedFor = inherited?.Key is { } known && (own?.Key is null || own.Key.SequenceEqual(known, StringComparer.Ordinal)),
            Ttl = own?.Ttl ?? inherited?.Ttl ?? DefaultTtl,
            Closed = (own?.OnStoreError ?? inherited?.OnStoreError) == StoreErrorRule.Closed,
            Observes = (own?.Mode ?? inherited?.Mode) == CheckMode.Observe,
        };
    }

    /// <param name="signsId">Some check of the route signs the delivery's id.</param>
    public IReadOnlyList<string> KeyOf(bool signsId) => Key ?? (signsId ? ["id"] : ["body"]);
}
