using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using WebhookEdge.Configuration;

namespace WebhookEdge.AllowLists;

/// <summary>Which part of a published document makes a list: regions and services of AWS, or a JSON pointer.</summary>
internal sealed record AddressQuery(ImmutableArray<string> Regions, ImmutableArray<string> Services, JsonListPointer? Pointer);

/// <summary>A published document, read and found sound, from which lists are cut. Called by <see cref="RangeFeed"/> only.</summary>
internal interface IRangeDocument
{
    /// <summary>Grows with every publication; 0 when the source does not number them.</summary>
    long Revision { get; }

    /// <summary>
    /// Cuts out one list. False, with a <paramref name="fault"/> for the operator, when the result would be empty or unsound; true with a
    /// <paramref name="fault"/> when it is sound but a name in the query is unknown.
    /// </summary>
    bool TrySelect(AddressQuery query, out IReadOnlyList<IPNetwork> networks, out string fault);
}

/// <summary>One network as a published list writes it.</summary>
internal static class PublishedNetwork
{
    /// <summary>The shortest prefixes a published list may hold. AWS publishes nothing shorter than /11 and /32; a poisoned 0.0.0.0/0 or ::/0 would open every route.</summary>
    private const int ShortestV4 = 8;
    private const int ShortestV6 = 20;

    public static bool TryParse(string text, out IPNetwork network, out string fault)
    {
        if (!StrictCidr.TryParse(text, out network, out fault))
        {
            return false;
        }

        var shortest = network.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? ShortestV4 : ShortestV6;
        if (network.PrefixLength < shortest)
        {
            fault = $"'{text}' is wider than /{shortest}, which no sender's list has a reason to be";
            return false;
        }

        return true;
    }
}
