using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace WebhookEdge.LoadTests;

/// <summary>How a request proves itself: a header with the hex HMAC-SHA256 of the raw body, with or without a prefix.</summary>
internal sealed record SigningStyle(string Name, string Header, string Prefix)
{
    /// <summary>https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries</summary>
    public static SigningStyle GitHub { get; } = new("github", "X-Hub-Signature-256", "sha256=");

    public static SigningStyle RealId { get; } = new("real-id", "X-Real-ID-Signature", "");

    public static IReadOnlyList<SigningStyle> All { get; } = [GitHub, RealId];
}

/// <summary>
/// Makes complete HTTP/1.1 POST requests, signed before any clock starts. No two bodies of a generator are alike, so that none is a duplicate;
/// the same seed gives the same requests.
/// </summary>
/// <param name="bodySize">Exact size of every body in bytes, at least <see cref="MinBodySize"/>.</param>
internal sealed class SignedRequests(SigningStyle style, byte[] secret, string host, string path, int bodySize, int seed)
{
    /// <summary>What the fields that make a body unique take.</summary>
    public const int MinBodySize = 64;

    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>Request number <paramref name="number"/>, ready for the wire.</summary>
    public byte[] Make(int number)
    {
        var body = Body(number);
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secret, body, mac);
        var head = string.Create(
            CultureInfo.InvariantCulture,
            $"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{style.Header}: {style.Prefix}{Convert.ToHexStringLower(mac)}\r\nContent-Length: {body.Length}\r\n\r\n");
        return [.. Encoding.ASCII.GetBytes(head), .. body];
    }

    private byte[] Body(int number)
    {
        var start = string.Create(CultureInfo.InvariantCulture, $"{{\"id\":\"evt_{seed:x8}_{number:x8}\",\"data\":\"");
        var body = new byte[bodySize];
        Encoding.ASCII.GetBytes(start, body);
        body[^2] = (byte)'"';
        body[^1] = (byte)'}';

        // Text that does not compress to nothing, from the numbers alone: xorshift, seeded per body, never zero.
        var state = ((ulong)(uint)seed << 32 | (uint)number) ^ 0x9E3779B97F4A7C15;
        foreach (ref var b in body.AsSpan(start.Length..^2))
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            b = (byte)Alphabet[(int)(state % (ulong)Alphabet.Length)];
        }

        return body;
    }
}

/// <summary>
/// The file the replaying script reads: for each request its length in decimal, a line feed, and the request's bytes. Without lengths it is the
/// requests one after the other, as a pipelining client would send them.
/// </summary>
internal static class RequestFile
{
    public static void Write(Stream to, SignedRequests requests, int count, bool withLengths)
    {
        for (var number = 0; number < count; number++)
        {
            var request = requests.Make(number);
            if (withLengths)
            {
                to.Write(Encoding.ASCII.GetBytes(request.Length.ToString(CultureInfo.InvariantCulture) + "\n"));
            }

            to.Write(request);
        }
    }
}
