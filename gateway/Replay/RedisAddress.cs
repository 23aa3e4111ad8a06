using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using StackExchange.Redis;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>
/// Where Redis is, read from what <c>edge.redis</c> points to: a StackExchange.Redis connection string, or a URL
/// (<c>redis://</c>, <c>rediss://</c> as registered with IANA, <c>unix://</c> as other clients write it). The library reads no URLs: it takes one for a
/// host name, never connects, and
/// repeats it with its password in log lines and exceptions. What does not read well is told without repeating a word of it.
/// <code>
/// HOST:PORT[,HOST:PORT…][,option=value…]             the library's options, and cacert, cert, key
/// redis://[USER]:PASSWORD@HOST[:PORT][,HOST…][/DB][?option=value&amp;…]
/// unix://[[USER]:PASSWORD@]/PATH[?db=N]
/// </code>
/// </summary>
internal sealed class RedisAddress
{
    /// <summary>In bytes, of the certificates that a connection string names.</summary>
    private const int LargestCertificate = 1 << 20;

    private const string WayOut = "write HOST:PORT[,password=…][,ssl=true] or redis://[USER]:PASSWORD@HOST:PORT/DB";
    private static readonly SearchValues<char> s_hostNameLetters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");

    private RedisAddress(ConfigurationOptions options, string? authority, string? certificate, string? key)
    {
        Options = options;
        if (authority is not null)
        {
            options.TrustIssuer(authority);
            options.Ssl = true;
        }

        if (certificate is not null)
        {
            options.SetUserPemCertificate(certificate, key);
        }
    }

    /// <summary>What the library connects with. Holds the password; never to be written anywhere.</summary>
    public ConfigurationOptions Options { get; }

    /// <param name="fault">What is wrong and what to write instead; repeats nothing of <paramref name="text"/>, for it may hold a password.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out RedisAddress? address, out string fault)
    {
        address = null;
        fault = "";
        try
        {
            var scheme = text.IndexOf("://", StringComparison.Ordinal);
            address = scheme > 0 && text.AsSpan(0, scheme).IndexOfAny(",=") < 0 ? RedisUrl.Read(text[..scheme], text[(scheme + 3)..])
                : FromConnectionString(text);
            return true;
        }
        catch (RedisAddressException e)
        {
            fault = e.Message;
        }
        catch (Exception)
        {
            // What the library says about a string it cannot read quotes the string.
            fault = "not a StackExchange.Redis connection string; " + WayOut;
        }

        return false;
    }

    /// <summary>An endpoint for a log line: <c>host:port</c>, or the path of a socket.</summary>
    public static string Show(EndPoint? endPoint) => endPoint switch
    {
        DnsEndPoint { Host: var host, Port: var port } => string.Create(CultureInfo.InvariantCulture, $"{host}:{port}"),
        null => "",
        _ => endPoint.ToString() ?? "",
    };

    private static RedisAddress FromConnectionString(string text)
    {
        string? authority = null, certificate = null, key = null;
        var rest = new List<string>();
        foreach (var part in text.Split(','))
        {
            var sign = part.IndexOf('=', StringComparison.Ordinal);
            switch (sign < 0 ? "" : part[..sign].Trim().ToUpperInvariant())
            {
                case "CACERT":
                    authority = ReadableFile("cacert", part[(sign + 1)..].Trim());
                    break;
                case "CERT":
                    certificate = ReadableFile("cert", part[(sign + 1)..].Trim());
                    break;
                case "KEY":
                    key = ReadableFile("key", part[(sign + 1)..].Trim());
                    break;
                default:
                    rest.Add(part);
                    break;
            }
        }

        var options = ConfigurationOptions.Parse(string.Join(',', rest));
        if (options.EndPoints.Count == 0)
        {
            throw new RedisAddressException("names no host; " + WayOut);
        }

        foreach (var endPoint in options.EndPoints)
        {
            // What stands here is logged, so what cannot be a host name (user:password@host, a URL cut by its commas) is none.
            if (endPoint is DnsEndPoint { Host: var host } && !IsHostName(host))
            {
                throw new RedisAddressException(
                    "one of its hosts is no host name; a password with a comma or an at sign fits into a URL only, percent-encoded: redis://:PASSWORD@HOST");
            }
        }

        return Finished(options, authority, certificate, key);
    }

    internal static RedisAddress Finished(ConfigurationOptions options, string? authority, string? certificate, string? key)
    {
        if (key is not null && certificate is null)
        {
            throw new RedisAddressException("names a key without its certificate; add cert=PATH");
        }

        try
        {
            return new(options, authority, certificate, key);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new RedisAddressException("cacert, cert or key is no PEM certificate or key that can be read");
        }
    }

    internal static string ReadableFile(string option, string path)
    {
        try
        {
            return RegularFile.Read(path, LargestCertificate) is null ? throw new RedisAddressException($"{option}: no regular file, or larger than 1 MiB")
                : path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new RedisAddressException($"{option}: the file cannot be read");
        }
    }

    internal static bool IsHostName(string text) =>
        text.Length is > 0 and <= 255 && !text.AsSpan().ContainsAnyExcept(s_hostNameLetters);
}
