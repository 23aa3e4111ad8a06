using System.Text;
using System.Text.Json;

namespace WebhookEdge.Cli;

/// <summary>
/// A request from a file, with the target as it stands there: raw HTTP (request line, headers, empty line, body byte for byte), the <c>&gt;</c> lines of
/// <c>curl -v</c>, or an entry of a HAR file. Header lines may end in LF or CRLF; the body is never touched.
/// </summary>
internal sealed record RecordedRequest(string Method, string Target, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body)
{
    private const int MaxBytes = 64 * 1024 * 1024;

    /// <summary>Null with a text for people when the file holds no request.</summary>
    public static RecordedRequest? Read(byte[] file, out string? fault)
    {
        fault = null;
        if (file.Length > MaxBytes)
        {
            fault = "the file is larger than 64 MiB";
            return null;
        }

        var start = file.AsSpan().IndexOfAnyExcept(" \t\r\n"u8);
        if (start < 0)
        {
            fault = "the file is empty";
            return null;
        }

        var first = file[start];
        return first == '{' || first == '[' ? ReadHar(file, out fault)
            : first is (byte)'*' or (byte)'>' or (byte)'<' ? ReadCurl(file, out fault)
            : ReadRaw(file.AsSpan(start), out fault);
    }

    private static RecordedRequest? ReadRaw(ReadOnlySpan<byte> file, out string? fault)
    {
        var lines = new List<string>();
        var rest = file;
        while (true)
        {
            var end = rest.IndexOf((byte)'\n');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            line = line.TrimEnd((byte)'\r');
            if (line.IsEmpty)
            {
                break;
            }

            lines.Add(Encoding.Latin1.GetString(line));
            if (end < 0)
            {
                break;
            }
        }

        return Build(lines, rest.ToArray(), out fault);
    }

    /// <summary>curl shows no request body; it is what stands after the last line that curl marks, if anything.</summary>
    private static RecordedRequest? ReadCurl(byte[] file, out string? fault)
    {
        var head = new List<string>();
        var text = file.AsSpan();
        var ended = false;
        while (!text.IsEmpty)
        {
            var end = text.IndexOf((byte)'\n');
            var line = (end < 0 ? text : text[..end]).TrimEnd((byte)'\r');
            var marked = line.Length > 0 && line[0] is (byte)'*' or (byte)'<' or (byte)'>' or (byte)'{' or (byte)'}';
            if (!marked || (line.Length > 1 && line[1] != ' '))
            {
                break;
            }

            if (line[0] == '>')
            {
                var content = Encoding.Latin1.GetString(line[1..]).TrimStart();
                ended |= content.Length == 0 && head.Count > 0;
                if (!ended && content.Length > 0)
                {
                    head.Add(content);
                }
            }

            text = end < 0 ? default : text[(end + 1)..];
        }

        return Build(head, text.ToArray(), out fault);
    }

    private static RecordedRequest? ReadHar(byte[] file, out string? fault)
    {
        fault = "the JSON is no HAR file, no HAR entry and no request of one";
        try
        {
            using var document = JsonDocument.Parse(file);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("log", out var log) && log.TryGetProperty("entries", out var entries)
                && entries.ValueKind == JsonValueKind.Array && entries.GetArrayLength() > 0)
            {
                root = entries[0];
            }

            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("request", out var request))
            {
                root = request;
            }

            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("method", out var method) || !root.TryGetProperty("url", out var url)
                || !Uri.TryCreate(url.GetString(), UriKind.Absolute, out var uri))
            {
                return null;
            }

            var headers = new List<KeyValuePair<string, string>>();
            foreach (var header in root.TryGetProperty("headers", out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray().ToArray() : [])
            {
                // HTTP/2 writes its request line as headers that begin with a colon.
                if (header.GetProperty("name").GetString() is { } name && !name.StartsWith(':'))
                {
                    headers.Add(new(name, header.GetProperty("value").GetString() ?? ""));
                }
            }

            var body = Array.Empty<byte>();
            if (root.TryGetProperty("postData", out var data) && data.TryGetProperty("text", out var text))
            {
                var encoded = data.TryGetProperty("encoding", out var encoding) && encoding.GetString() == "base64";
                body = encoded ? text.GetBytesFromBase64() : Encoding.UTF8.GetBytes(text.GetString() ?? "");
            }

            fault = null;
            return new(method.GetString() ?? "", uri.PathAndQuery, headers, body);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }

    private static RecordedRequest? Build(List<string> lines, byte[] body, out string? fault)
    {
        fault = "the file does not begin with a request line such as \"POST /hooks/acme HTTP/1.1\"";
        if (lines.Count == 0 || lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [var method, var target, ..]
            || !method.All(char.IsAsciiLetterUpper))
        {
            return null;
        }

        var headers = new List<KeyValuePair<string, string>>();
        foreach (var line in lines.Skip(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0)
            {
                fault = "a header line holds no colon; is there an empty line between headers and body?";
                return null;
            }

            headers.Add(new(line[..colon].Trim(), line[(colon + 1)..].Trim()));
        }

        fault = null;
        return new(method, target, headers, body);
    }
}
