using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

internal enum PartKind
{
    Literal,
    Body,
    Timestamp,
    Id,
    Method,
    Url,
    Secret,
    Header,
}

/// <summary>One piece of the signed text: literal bytes, or a placeholder; <see cref="Header"/> is the name of <c>{header:NAME}</c>.</summary>
internal sealed record SignedPart(PartKind Kind, byte[] Literal, string Header);

/// <summary>Which bytes are signed, e.g. <c>v0:{timestamp}:{body}</c>, cut into parts when the configuration is loaded.</summary>
internal sealed class SigningTemplate
{
    private static readonly string[] Placeholders = ["{body}", "{timestamp}", "{id}", "{method}", "{url}", "{secret}", "{header:NAME}"];

    private readonly bool _isBodyOnly;
    private readonly int _kinds;

    private SigningTemplate(ImmutableArray<SignedPart> parts)
    {
        Parts = parts;
        _isBodyOnly = parts is [{ Kind: PartKind.Body }];
        foreach (var part in parts)
        {
            _kinds |= 1 << (int)part.Kind;
        }
    }

    public ImmutableArray<SignedPart> Parts { get; }

    /// <summary>No part of a request is in it, so that every signature is the same.</summary>
    public bool IsConstant => (_kinds & ~((1 << (int)PartKind.Literal) | (1 << (int)PartKind.Secret))) == 0;

    public bool Has(PartKind kind) => (_kinds & (1 << (int)kind)) != 0;

    public bool HasHeader(string name) => Parts.Any(part => part.Kind == PartKind.Header && part.Header.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Every fault of the text goes to <paramref name="problems"/>; null when there was one.</summary>
    public static SigningTemplate? Compile(string text, ICollection<ConfigProblem> problems, string path)
    {
        var parts = ImmutableArray.CreateBuilder<SignedPart>();
        var faults = problems.Count;
        var at = 0;
        while (at < text.Length)
        {
            if (text[at] == '}')
            {
                problems.Add(new(path, "a } without its {", $"placeholders are {string.Join(' ', Placeholders)}"));
                return null;
            }

            if (text[at] != '{')
            {
                var end = text.AsSpan(at).IndexOfAny('{', '}');
                end = end < 0 ? text.Length : at + end;
                parts.Add(new(PartKind.Literal, Encoding.UTF8.GetBytes(text[at..end]), ""));
                at = end;
                continue;
            }

            var close = text.IndexOf('}', at);
            if (close < 0)
            {
                problems.Add(new(path, "a { without its }", $"placeholders are {string.Join(' ', Placeholders)}"));
                return null;
            }

            var name = text[(at + 1)..close];
            at = close + 1;
            var kind = name switch
            {
                "body" => PartKind.Body,
                "timestamp" => PartKind.Timestamp,
                "id" => PartKind.Id,
                "method" => PartKind.Method,
                "url" => PartKind.Url,
                "secret" => PartKind.Secret,
                _ when name.StartsWith("header:", StringComparison.Ordinal) && StrictText.IsHeaderName(name.AsSpan("header:".Length)) => PartKind.Header,
                _ => PartKind.Literal,
            };
            if (kind == PartKind.Literal)
            {
                problems.Add(new(path, $"unknown placeholder {{{name}}}",
                    NearestName.Hint($"{{{name}}}", Placeholders) ?? $"placeholders are {string.Join(' ', Placeholders)}"));
                continue;
            }

            parts.Add(new(kind, [], kind == PartKind.Header ? name["header:".Length..] : ""));
        }

        if (problems.Count == faults && parts.Count == 0)
        {
            problems.Add(new(path, "nothing is signed", "leave it out for {body}"));
        }

        return problems.Count == faults ? new(parts.DrainToImmutable()) : null;
    }

    /// <summary>Feeds the signed bytes to <paramref name="hash"/>. Every text among them was checked to be plain ASCII before.</summary>
    public void Append(IncrementalHash hash, Delivery delivery, in SignedHead head, UrlRule? url, ReadOnlySpan<byte> secret) =>
        Append(new HashSink(hash), delivery, head, url, secret);

    /// <summary>As the other, for schemes that sign the bytes themselves and not their hash. A struct for a sink costs nothing.</summary>
    public void Append<TSink>(TSink hash, Delivery delivery, in SignedHead head, UrlRule? url, ReadOnlySpan<byte> secret)
        where TSink : struct, IByteSink
    {
        if (_isBodyOnly)
        {
            AppendBody(hash, delivery.Body);
            return;
        }

        foreach (var part in Parts)
        {
            switch (part.Kind)
            {
                case PartKind.Literal:
                    hash.AppendData(part.Literal);
                    break;
                case PartKind.Body:
                    AppendBody(hash, delivery.Body);
                    break;
                case PartKind.Timestamp:
                    AppendText(hash, head.Time);
                    break;
                case PartKind.Id:
                    AppendText(hash, head.Id);
                    break;
                case PartKind.Method:
                    AppendText(hash, delivery.Method);
                    break;
                case PartKind.Url:
                    hash.AppendData(url!.Base);
                    AppendText(hash, url.Rest(delivery.RawTarget));
                    break;
                case PartKind.Secret:
                    hash.AppendData(secret);
                    break;
                default:
                    AppendText(hash, delivery.Headers[part.Header][0]);
                    break;
            }
        }
    }

    public static void AppendBody<TSink>(TSink hash, in ReadOnlySequence<byte> body)
        where TSink : struct, IByteSink
    {
        if (body.IsSingleSegment)
        {
            hash.AppendData(body.FirstSpan);
            return;
        }

        foreach (var segment in body)
        {
            hash.AppendData(segment.Span);
        }
    }

    public static void AppendText<TSink>(TSink hash, ReadOnlySpan<char> text)
        where TSink : struct, IByteSink
    {
        Span<byte> bytes = stackalloc byte[256];
        while (!text.IsEmpty)
        {
            var some = text[..Math.Min(text.Length, bytes.Length)];
            Encoding.ASCII.GetBytes(some, bytes);
            hash.AppendData(bytes[..some.Length]);
            text = text[some.Length..];
        }
    }
}

/// <summary>Where signed bytes go.</summary>
internal interface IByteSink
{
    void AppendData(ReadOnlySpan<byte> bytes);
}

internal readonly struct HashSink(IncrementalHash hash) : IByteSink
{
    public void AppendData(ReadOnlySpan<byte> bytes) => hash.AppendData(bytes);
}

internal readonly struct MessageSink(ArrayBufferWriter<byte> message) : IByteSink
{
    public void AppendData(ReadOnlySpan<byte> bytes) => message.Write(bytes);
}

/// <summary>
/// <c>{url}</c>: the configured public URL and, for a literal route, the configured path; only the query (for a prefix route the whole target)
/// comes from the request, as it was received.
/// </summary>
internal sealed record UrlRule(byte[] Base, bool IsPrefix)
{
    /// <summary>Feeds the whole URL of a request whose target was checked to be plain.</summary>
    public void Append(IncrementalHash hash, string rawTarget)
    {
        hash.AppendData(Base);
        SigningTemplate.AppendText(new HashSink(hash), Rest(rawTarget));
    }

    /// <summary>This URL, and the same with its port left out and with the port that goes without saying written: senders differ in which they sign.</summary>
    public ImmutableArray<UrlRule> WithAndWithoutPort()
    {
        var text = Encoding.UTF8.GetString(Base);
        var start = text.IndexOf("://", StringComparison.Ordinal) + 3;
        var end = text.IndexOf('/', start);
        end = end < 0 ? text.Length : end;
        var colon = text.IndexOf(':', text.IndexOf(']', start) is >= 0 and var bracket && bracket < end ? bracket : start);
        var port = colon >= 0 && colon < end ? colon : end;
        var usual = text.StartsWith("https", StringComparison.Ordinal) ? ":443" : ":80";
        string[] candidates = [text, text[..port] + text[end..], port < end ? text : text[..port] + usual + text[end..]];
        return [.. candidates.Distinct(StringComparer.Ordinal).Select(url => new UrlRule(Encoding.UTF8.GetBytes(url), IsPrefix))];
    }

    public ReadOnlySpan<char> Rest(string rawTarget)
    {
        if (IsPrefix)
        {
            return rawTarget;
        }

        var query = rawTarget.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? default : rawTarget.AsSpan(query);
    }
}
