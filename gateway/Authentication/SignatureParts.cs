using System.Collections.Immutable;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>Where a signing time stands. Exactly one of the three sources is set.</summary>
internal sealed record TimeRule(string? EntryKey, string? Header, JsonPointer? Json, TimeUnit Unit, long ToleranceMilliseconds);

/// <summary>Where a delivery's id stands, and whether the signature covers it. Exactly one source is set.</summary>
internal sealed record IdRule(string? Header, JsonPointer? Json, bool IsSigned);

/// <summary>A header that must have exactly this value.</summary>
internal readonly record struct RequiredHeader(string Name, string Value)
{
    /// <summary>Null when every header is as required; otherwise what is wrong.</summary>
    public static string? FirstFault(ImmutableArray<RequiredHeader> required, Delivery delivery)
    {
        foreach (var header in required)
        {
            var lines = delivery.Headers[header.Name];
            if (lines.Count != 1)
            {
                return lines.Count == 0 ? "a header the scheme requires is absent" : "a header the scheme requires came more than once";
            }

            if (lines[0] != header.Value)
            {
                return "a header the scheme requires has another value";
            }
        }

        return null;
    }
}

/// <summary>What the head of a request says about its signature, read and checked before the body counts.</summary>
internal readonly ref struct SignedHead
{
    /// <summary>The signing time's text, verbatim; empty when the scheme has none in the head.</summary>
    public ReadOnlySpan<char> Time { get; init; }

    /// <summary>Unix milliseconds; null without a time in the head.</summary>
    public long? TimeMilliseconds { get; init; }

    /// <summary>The id header's value; null when the scheme signs none.</summary>
    public string? Id { get; init; }
}
