using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
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
    private const int DefaultPort = 6379;
    private const int SentinelPort = 26379;
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
            address = scheme > 0 && text.AsSpan(0, scheme).IndexOfAny(",=") < 0 ? FromUrl(text[..scheme], text[(scheme + 3)..]) : FromConnectionString(text);
            return true;
        }
        catch (BadAddressException e)
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
            throw new BadAddressException("names no host; " + WayOut);
        }

        foreach (var endPoint in options.EndPoints)
        {
            // What stands here is logged, so what cannot be a host name (user:password@host, a URL cut by its commas) is none.
            if (endPoint is DnsEndPoint { Host: var host } && !IsHostName(host))
            {
                throw new BadAddressException(
                    "one of its hosts is no host name; a password with a comma or an at sign fits into a URL only, percent-encoded: redis://:PASSWORD@HOST");
            }
        }

        return Finished(options, authority, certificate, key);
    }

    private static RedisAddress FromUrl(string scheme, string rest)
    {
        var options = new ConfigurationOptions();
        var isSocket = scheme.Equals("unix", StringComparison.OrdinalIgnoreCase);
        options.Ssl = scheme.Equals("rediss", StringComparison.OrdinalIgnoreCase);
        if (!isSocket && !options.Ssl && !scheme.Equals("redis", StringComparison.OrdinalIgnoreCase))
        {
            throw new BadAddressException("the URL's scheme is none of redis, rediss and unix");
        }

        if (rest.AsSpan().IndexOfAny("# \t\r\n") >= 0)
        {
            throw new BadAddressException("the URL holds a # or a blank; percent-encode it (%23, %20)");
        }

        var question = rest.IndexOf('?', StringComparison.Ordinal);
        var query = question < 0 ? "" : rest[(question + 1)..];
        rest = question < 0 ? rest : rest[..question];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var authority = slash < 0 ? rest : rest[..slash];
        var path = slash < 0 ? "" : rest[slash..];
        var hosts = authority[(authority.IndexOf('@', StringComparison.Ordinal) + 1)..];
        if (hosts.Contains('@', StringComparison.Ordinal))
        {
            throw new BadAddressException("the URL holds two at signs; percent-encode that of the user name or password (%40)");
        }

        if (authority.Length > hosts.Length)
        {
            ReadCredentials(options, authority[..^(hosts.Length + 1)]);
        }

        // Before the hosts: whether these are Sentinels says which port is the default.
        var files = ReadQuery(options, query);
        if (isSocket)
        {
            if (hosts.Length > 0 || path.Length < 2 || files != default)
            {
                throw new BadAddressException(
                    "a unix:// URL names the path of a socket, after a third slash: unix:///run/redis.sock; it has neither host nor TLS");
            }

            options.EndPoints.Add(EndPointCollection.TryParse("!" + Decoded(path)) ?? throw new BadAddressException("the path of the socket cannot be read"));
            return Finished(options, null, null, null);
        }

        foreach (var host in hosts.Split(','))
        {
            options.EndPoints.Add(ReadHost(host, options.ServiceName is null ? DefaultPort : SentinelPort));
        }

        if (path.Length > 1)
        {
            ReadDatabase(options, path[1..], "the URL's path");
        }

        if (!options.Ssl && files != default)
        {
            throw new BadAddressException("cacert, cert and key are for TLS; write rediss://");
        }

        return Finished(options, files.Authority, files.Certificate, files.Key);
    }

    private static RedisAddress Finished(ConfigurationOptions options, string? authority, string? certificate, string? key)
    {
        if (key is not null && certificate is null)
        {
            throw new BadAddressException("names a key without its certificate; add cert=PATH");
        }

        try
        {
            return new(options, authority, certificate, key);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new BadAddressException("cacert, cert or key is no PEM certificate or key that can be read");
        }
    }

    private static void ReadCredentials(ConfigurationOptions options, string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            throw new BadAddressException("whether the word before the at sign is a user or a password cannot be told; write USER:PASSWORD@ or :PASSWORD@");
        }

        if (colon == text.Length - 1)
        {
            throw new BadAddressException("the URL's password is empty; write it, or leave out everything up to the at sign");
        }

        options.User = colon == 0 ? null : Decoded(text[..colon]);
        options.Password = Decoded(text[(colon + 1)..]);
    }

    private static (string Name, int Port) ReadPort(string host, int defaultPort)
    {
        var end = host.StartsWith('[') ? host.IndexOf(']', StringComparison.Ordinal) + 1 : host.IndexOf(':', StringComparison.Ordinal);
        end = end < 0 ? host.Length : end;
        var name = host[..end];
        if (end == host.Length)
        {
            return (name, defaultPort);
        }

        return host[end] == ':' && int.TryParse(host.AsSpan(end + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and <= IPEndPoint.MaxPort
            ? (name, port)
            : throw new BadAddressException(
                "the URL's port is no number from 1 to 65535; percent-encode a colon, slash or at sign of the password (%3A, %2F, %40)");
    }

    private static EndPoint ReadHost(string text, int defaultPort)
    {
        var (name, port) = ReadPort(text, defaultPort);
        if (name.StartsWith('['))
        {
            return name.EndsWith(']') && IPAddress.TryParse(name.AsSpan(1, name.Length - 2), out var v6) && v6.AddressFamily == AddressFamily.InterNetworkV6
                ? new IPEndPoint(v6, port)
                : throw new BadAddressException("what stands in the URL's brackets is no IPv6 address");
        }

        return !IsHostName(name)
                ? throw new BadAddressException(
                    "the URL names no host, or one that is no host name; percent-encode a slash or question mark of the password (%2F, %3F)")
            : IPAddress.TryParse(name, out var v4) ? new IPEndPoint(v4, port)
            : new DnsEndPoint(name, port);
    }

    private static (string? Authority, string? Certificate, string? Key) ReadQuery(ConfigurationOptions options, string query)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var files = default((string? Authority, string? Certificate, string? Key));
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var sign = pair.IndexOf('=', StringComparison.Ordinal);
            var name = sign < 0 ? pair : pair[..sign];
            if (sign < 0 || sign == pair.Length - 1 || !seen.Add(name))
            {
                throw new BadAddressException("the URL's options are written ?name=value&name=value, each once");
            }

            var value = Decoded(pair[(sign + 1)..]);
            switch (name)
            {
                case "db":
                    ReadDatabase(options, value, "db");
                    break;
                case "serviceName":
                    options.ServiceName = value;
                    break;
                case "sentinelUser":
                    options.SentinelUser = value;
                    break;
                case "sentinelPassword":
                    options.SentinelPassword = value;
                    break;
                case "name":
                    options.ClientName = value;
                    break;
                case "sslHost" when options.Ssl:
                    options.SslHost = value;
                    break;
                case "cacert":
                    files.Authority = ReadableFile("cacert", value);
                    break;
                case "cert":
                    files.Certificate = ReadableFile("cert", value);
                    break;
                case "key":
                    files.Key = ReadableFile("key", value);
                    break;
                default:
                    // Not named: it may be the rest of a password with a question mark.
                    throw new BadAddressException(
                        "the URL has an option that is none of db, serviceName, sentinelUser, sentinelPassword, name; with rediss cacert, cert, key, sslHost");
            }
        }

        return files;
    }

    private static void ReadDatabase(ConfigurationOptions options, string text, string where)
    {
        if (options.DefaultDatabase is not null || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var database))
        {
            throw new BadAddressException($"{where} is the number of the database, written once, e.g. redis://HOST/0");
        }

        options.DefaultDatabase = database;
    }

    private static string ReadableFile(string option, string path)
    {
        try
        {
            return RegularFile.Read(path, LargestCertificate) is null ? throw new BadAddressException($"{option}: no regular file, or larger than 1 MiB") : path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new BadAddressException($"{option}: the file cannot be read");
        }
    }

    private static bool IsHostName(string text) =>
        text.Length is > 0 and <= 255 && !text.AsSpan().ContainsAnyExcept(s_hostNameLetters);

    /// <summary>Percent-decoding (RFC 3986 §2.1) that takes nothing for what it is not: two hex digits after each sign, and UTF-8 at the end.</summary>
    private static string Decoded(string text)
    {
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text, i, char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1));
                i += char.IsHighSurrogate(text[i]) ? 1 : 0;
                continue;
            }

            if (i + 2 >= text.Length || !byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                throw new BadAddressException("a percent sign in the URL is not followed by two hex digits; write it %25");
            }

            bytes.Add(value);
            i += 2;
        }

        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            throw new BadAddressException("what is percent-encoded in the URL is not UTF-8");
        }
    }

    private sealed class BadAddressException(string message) : Exception(message);
}
