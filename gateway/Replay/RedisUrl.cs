using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using StackExchange.Redis;

namespace WebhookEdge.Replay;

/// <summary>
/// <c>redis://</c>, <c>rediss://</c> and <c>unix://</c> addresses: credentials, one host or several Sentinels, the database, and options behind the question
/// mark.
/// </summary>
internal static class RedisUrl
{
    private const int DefaultPort = 6379;
    private const int SentinelPort = 26379;

    public static RedisAddress Read(string scheme, string rest)
    {
        var options = new ConfigurationOptions();
        var isSocket = scheme.Equals("unix", StringComparison.OrdinalIgnoreCase);
        options.Ssl = scheme.Equals("rediss", StringComparison.OrdinalIgnoreCase);
        if (!isSocket && !options.Ssl && !scheme.Equals("redis", StringComparison.OrdinalIgnoreCase))
        {
            throw new RedisAddressException("the URL's scheme is none of redis, rediss and unix");
        }

        if (rest.AsSpan().IndexOfAny("# \t\r\n") >= 0)
        {
            throw new RedisAddressException("the URL holds a # or a blank; percent-encode it (%23, %20)");
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
            throw new RedisAddressException("the URL holds two at signs; percent-encode that of the user name or password (%40)");
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
                throw new RedisAddressException(
                    "a unix:// URL names the path of a socket, after a third slash: unix:///run/redis.sock; it has neither host nor TLS");
            }

            options.EndPoints.Add(EndPointCollection.TryParse("!" + Decoded(path)) ?? throw new RedisAddressException("the path of the socket cannot be read"));
            return RedisAddress.Finished(options, null, null, null);
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
            throw new RedisAddressException("cacert, cert and key are for TLS; write rediss://");
        }

        return RedisAddress.Finished(options, files.Authority, files.Certificate, files.Key);
    }

    private static void ReadCredentials(ConfigurationOptions options, string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            throw new RedisAddressException("whether the word before the at sign is a user or a password cannot be told; write USER:PASSWORD@ or :PASSWORD@");
        }

        if (colon == text.Length - 1)
        {
            throw new RedisAddressException("the URL's password is empty; write it, or leave out everything up to the at sign");
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
            : throw new RedisAddressException(
                "the URL's port is no number from 1 to 65535; percent-encode a colon, slash or at sign of the password (%3A, %2F, %40)");
    }

    private static EndPoint ReadHost(string text, int defaultPort)
    {
        var (name, port) = ReadPort(text, defaultPort);
        if (name.StartsWith('['))
        {
            return name.EndsWith(']') && IPAddress.TryParse(name.AsSpan(1, name.Length - 2), out var v6) && v6.AddressFamily == AddressFamily.InterNetworkV6
                ? new IPEndPoint(v6, port)
                : throw new RedisAddressException("what stands in the URL's brackets is no IPv6 address");
        }

        return !RedisAddress.IsHostName(name)
                ? throw new RedisAddressException(
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
                throw new RedisAddressException("the URL's options are written ?name=value&name=value, each once");
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
                    files.Authority = RedisAddress.ReadableFile("cacert", value);
                    break;
                case "cert":
                    files.Certificate = RedisAddress.ReadableFile("cert", value);
                    break;
                case "key":
                    files.Key = RedisAddress.ReadableFile("key", value);
                    break;
                default:
                    // Not named: it may be the rest of a password with a question mark.
                    throw new RedisAddressException(
                        "the URL has an option that is none of db, serviceName, sentinelUser, sentinelPassword, name; with rediss cacert, cert, key, sslHost");
            }
        }

        return files;
    }

    private static void ReadDatabase(ConfigurationOptions options, string text, string where)
    {
        if (options.DefaultDatabase is not null || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var database))
        {
            throw new RedisAddressException($"{where} is the number of the database, written once, e.g. redis://HOST/0");
        }

        options.DefaultDatabase = database;
    }

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
                throw new RedisAddressException("a percent sign in the URL is not followed by two hex digits; write it %25");
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
            throw new RedisAddressException("what is percent-encoded in the URL is not UTF-8");
        }
    }
}
