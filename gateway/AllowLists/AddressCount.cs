using System.Globalization;
using System.Numerics;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>How many addresses a set lets in, for people: <c>272 IPv4 and 2^80 IPv6 addresses</c>.</summary>
internal static class AddressCount
{
    private const int Exact = 1_000_000;

    public static string Say(CidrSet set) => (set.AddressCountV4, set.AddressCountV6) switch
    {
        (0, { } none) when none == 0 => "no address",
        (1, { } none) when none == 0 => "1 IPv4 address",
        (var v4, { } none) when none == 0 => string.Create(CultureInfo.InvariantCulture, $"{v4:#,0} IPv4 addresses"),
        (0, var v6) => v6 == 1 ? "1 IPv6 address" : $"{Say(v6)} IPv6 addresses",
        var (v4, v6) => string.Create(CultureInfo.InvariantCulture, $"{v4:#,0} IPv4 and {Say(v6)} IPv6 addresses"),
    };

    /// <summary>Exactly while that can be read; then as a power of two, rounded.</summary>
    private static string Say(UInt128 count) => count <= Exact
        ? ((ulong)count).ToString("#,0", CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"2^{Math.Round(BigInteger.Log(count, 2))}");
}
