using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace WebhookEdge.LoadTests;

/// <summary>A signed event before it is put into words: the raw runner writes it as HTTP/1.1, NBomber's client as an HttpRequestMessage.</summary>
internal sealed record SignedRequest(string Path, string SignatureHeader, string Signature, byte[] Body)
{
    /// <summary>The complete HTTP/1.1 request. <paramref name="host"/> is the Host header's value.</summary>
    public byte[] ToWire(string host)
    {
        var head = string.Create(
            CultureInfo.InvariantCulture,
            $"POST {Path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{SignatureHeader}: {Signature}\r\nContent-Length: {Body.Length}\r\n\r\n");
        return [.. Encoding.ASCII.GetBytes(head), .. Body];
    }

    /// <summary>The same request with a signature that is well formed and wrong in its last digit: only hashing the body can tell.</summary>
    public SignedRequest Forge() => this with { Signature = Signature[..^1] + (Signature[^1] == '0' ? '1' : '0') };
}

/// <summary>
/// Makes requests, signed before any clock starts. No two bodies of a generator are alike, so that none is a duplicate; the same seed gives the same requests.
/// </summary>
internal sealed class SignedRequests(EventBody body, byte[] secret, string path, int seed)
{
    public SignedRequest Make(int number)
    {
        var bytes = body.Make(seed, number);
        Span<byte> mac = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secret, bytes, mac);
        return new(path, body.Style.Header, body.Style.Prefix + Convert.ToHexStringLower(mac), bytes);
    }
}

/// <summary>
/// The file the replaying script reads: for each request its length in decimal, a line feed, and the request's bytes. Without lengths it is the
/// requests one after the other, as a pipelining client would send them.
/// </summary>
internal static class RequestFile
{
    public static void Write(Stream to, IEnumerable<byte[]> requests, bool withLengths)
    {
        foreach (var request in requests)
        {
            if (withLengths)
            {
                to.Write(Encoding.ASCII.GetBytes(request.Length.ToString(CultureInfo.InvariantCulture) + "\n"));
            }

            to.Write(request);
        }
    }
}
