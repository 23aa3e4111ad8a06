using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>Which part of a published document makes a list: regions and services of AWS, or a JSON pointer.</summary>
internal sealed record AddressQuery(ImmutableArray<string> Regions, ImmutableArray<string> Services, JsonListPointer? Pointer);

/// <summary>A published document, read and found sound, from which lists are cut. Called by <see cref="RangeFeed"/> only.</summary>
internal interface IRangeDocument
{
    /// <summary>Grows with every publication; 0 when the source does not number them.</summary>
    long Revision { get; }

    /// <summary>
    /// Cuts out one list. False, with a <paramref name="fault"/> for the operator, when what was asked for is not there or is unsound. A place that is there
    /// and empty is a sound list of nothing: a publisher without IPv6 addresses publishes <c>[]</c> for them.
    /// </summary>
    bool TrySelect(AddressQuery query, out RangeCut cut, out string fault);
}

/// <summary>A list cut from a document, and what an operator should know of it although it is taken.</summary>
/// <param name="Networks">May be none, and may hold one twice.</param>
/// <param name="LeftOut">Entries that are no sound network, at most a tenth of all.</param>
/// <param name="UnknownNames">Names of the query that the publisher does not know; empty when it knows all.</param>
/// <param name="Remark">Entries that were left out, or a list of nothing; empty when there is nothing to say.</param>
internal sealed record RangeCut(IReadOnlyList<IPNetwork> Networks, int LeftOut, string UnknownNames, string Remark)
{
    public static RangeCut Nothing { get; } = new([], 0, "", "");

    /// <summary>Both remarks in one line; empty when all is well.</summary>
    public string Note => string.Join("; ", ((string[])[UnknownNames, Remark]).Where(static text => text.Length > 0));
}

/// <summary>One network as a published list writes it.</summary>
internal static class PublishedNetwork
{
    /// <summary>
    /// The shortest prefixes a published list may hold. AWS publishes nothing shorter than /11 and /32; a poisoned 0.0.0.0/0 or ::/0 would open every route.
    /// </summary>
    private const int ShortestV4 = 8;
    private const int ShortestV6 = 20;

    /// <summary>Reads an entry strictly. One that is <paramref name="tooWide"/> is no slip of a pen: its document is not to be believed at all.</summary>
    public static bool TryParse(string text, out IPNetwork network, out string fault, out bool tooWide)
    {
        tooWide = false;
        if (!AddressParser.TryParseNetwork(text, out network, out fault))
        {
            return false;
        }

        var shortest = network.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? ShortestV4 : ShortestV6;
        if (network.PrefixLength < shortest)
        {
            fault = $"'{text}' is wider than /{shortest}, which no sender's list has a reason to be";
            tooWide = true;
            return false;
        }

        return true;
    }

    /// <summary>
    /// Whether so many entries are bad that the list is another than it says. Below that the bad ones are left out: a slip of the publisher's must not
    /// freeze a list for ever, and leaving out lets nobody in.
    /// </summary>
    public static bool AreTooManyBad(int bad, int total) => bad > total / 10.0;

    public static string SayRefused(int bad, int total, string first) =>
        $"{bad} of {total} entries are no sound networks, more than a tenth; the first: {first}";

    public static string SayLeftOut(int bad, int total, string first) =>
        bad == 0 ? "" : $"{bad} of {total} entries are no sound networks and were left out; the first: {first}";
}
