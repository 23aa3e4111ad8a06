using System.Net;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// A network that a person wrote, read strictly and known by where it stands. What compares networks of the configuration works with IPNetwork2 from here on;
/// its own parser guesses classes, reads octal and drops host bits, so it never sees a text (BannedSymbols.txt holds its methods that take one).
/// </summary>
/// <param name="Place">Of the entry, e.g. <c>addressSets.office.cidrs[0]</c>.</param>
/// <param name="Text">As it was written.</param>
/// <param name="Origin">The list it belongs to, for people: <c>the set "office"</c>.</param>
internal sealed record ConfiguredNetwork(string Place, string Text, string Origin, IPNetwork2 Network)
{
    /// <summary>Null when the text is no address or network; that is said elsewhere.</summary>
    public static ConfiguredNetwork? Read(string place, string text, string origin) =>
        AddressParser.TryParseNetwork(text, out var network, out _) ? new(place, text, origin, Of(network)) : null;

    /// <summary>Every address of <paramref name="other"/> is in this network. Two networks overlap only where one holds the other.</summary>
    public bool Holds(ConfiguredNetwork other) => other.IsIn(Network);

    /// <summary>The library compares numbers alone, and ::1 is a number inside 0.0.0.0/8.</summary>
    public bool IsIn(IPNetwork2 network) => network.AddressFamily == Network.AddressFamily && network.Contains(Network);

    public static IPNetwork2 Of(IPNetwork network) => new(network.BaseAddress, (byte)network.PrefixLength);
}
