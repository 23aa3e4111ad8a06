using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication;

/// <summary>
/// A compiled hmac or digest scheme with its active keys. Immutable; shared by the two checks made from it, of which one judges the head before
/// the body is read, the other the body.
/// </summary>
internal sealed class SignatureScheme
{
    private const int MaxIdLength = 256;
    private const int MaxPublicKeyCandidates = 4;

    private static int _lastNumber;

    private readonly int _number = Interlocked.Increment(ref _lastNumber);

    /// <summary>The signature headers; when <see cref="Numbered"/>, the first absent one ends the list.</summary>
    public required ImmutableArray<string> Headers { get; init; }

    public required bool Numbered { get; init; }

    public required SignatureHeader Grammar { get; init; }

    public required SigningTemplate Template { get; init; }

    public required bool AcceptsEmptyBody { get; init; }

    public required TimeRule? Time { get; init; }

    public required IdRule? Id { get; init; }

    public required UrlRule? Url { get; init; }

    public required ImmutableArray<RequiredHeader> Required { get; init; }

    /// <summary>Shared keys; empty for a public-key scheme.</summary>
    public required ImmutableArray<SigningKey> Keys { get; init; }

    /// <summary>Set for a public-key scheme.</summary>
    public PublicKeySet? PublicKeys { get; init; }

    public bool SignsBody => Template.Has(PartKind.Body);

    /// <summary>Everything that can be judged without the body, except the time's age. Reads the signature header once for both stages.</summary>
    public Verdict ReadHead(Delivery delivery, out ParsedSignature parsed, out SignedHead head)
    {
        head = default;
        parsed = SignatureScratch.For(delivery, _number);
        if (RequiredHeader.FirstFault(Required, delivery) is { } fault)
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, fault);
        }

        var verdict = ReadSignature(delivery, parsed);
        if (!verdict.Passed)
        {
            return verdict;
        }

        ReadOnlySpan<char> time = default;
        long? milliseconds = null;
        if (Time is { Json: null } rule)
        {
            if (rule.Header is not null)
            {
                verdict = One(delivery.Headers[rule.Header], "the timestamp header is absent", "the timestamp header came more than once", out var text);
                if (!verdict.Passed)
                {
                    return verdict;
                }

                time = text;
            }
            else if (parsed.HasTime)
            {
                time = parsed.Time;
            }

            if (time.IsEmpty)
            {
                return Verdict.Reject(RejectReason.SignatureMissing, "the signature header holds no timestamp");
            }

            if (!SignedTime.TryParse(time, rule.Unit, out var parsedTime))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "the timestamp is not written as the scheme says");
            }

            milliseconds = parsedTime;
        }

        string? id = null;
        if (Id is { IsSigned: true, Header: { } idHeader })
        {
            verdict = One(delivery.Headers[idHeader], "the id header is absent", "the id header came more than once", out id);
            if (!verdict.Passed)
            {
                return verdict;
            }

            if (id!.Length > MaxIdLength || !StrictText.IsPlain(id))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "the id is too long or holds characters no id has");
            }
        }

        head = new() { Time = time, TimeMilliseconds = milliseconds, Id = id };
        return ReadSignedTexts(delivery);
    }

    /// <summary>The id of the first active key that makes one of the signatures that came; null when none does.</summary>
    public string? Match(Delivery delivery, ParsedSignature parsed, in SignedHead head)
    {
        if (PublicKeys is { } publicKeys)
        {
            return MatchPublicKeys(publicKeys, delivery, parsed, head);
        }

        Span<byte> mac = stackalloc byte[64];
        mac = mac[..Grammar.MacLength];
        foreach (var key in Keys)
        {
            // Not in a finally: after an exception the hash holds half a message and is left to the collector.
            var hash = key.Borrow();
            Template.Append(hash, delivery, head, Url, key.Bytes);
            hash.GetHashAndReset(mac);
            key.Return(hash);
            for (var i = 0; i < parsed.Count; i++)
            {
                if (CryptographicOperations.FixedTimeEquals(mac, parsed[i]))
                {
                    return key.Id;
                }
            }
        }

        return null;
    }

    private string? MatchPublicKeys(PublicKeySet set, Delivery delivery, ParsedSignature parsed, in SignedHead head)
    {
        Span<byte> digest = stackalloc byte[64];
        scoped ReadOnlySpan<byte> message;
        if (set.Hashing is { } hashing)
        {
            var hash = hashing.Borrow();
            Template.Append(hash, delivery, head, Url, default);
            message = digest[..hash.GetHashAndReset(digest)];
            hashing.Return(hash);
        }
        else
        {
            // The primitive wants its message in one piece; the body's cap bounds it.
            var whole = new ArrayBufferWriter<byte>((int)delivery.Body.Length + 256);
            Template.Append(new MessageSink(whole), delivery, head, Url, default);
            message = whole.WrittenSpan;
        }

        // Each pair costs a verification, so a header full of candidates must not multiply: entries are capped far below the 32 of a MAC.
        var candidates = Math.Min(parsed.Count, MaxPublicKeyCandidates);
        foreach (var key in set.Keys)
        {
            for (var i = 0; i < candidates; i++)
            {
                if (key.Verifies(message, parsed[i]))
                {
                    return key.Id;
                }
            }
        }

        return null;
    }

    private Verdict ReadSignature(Delivery delivery, ParsedSignature parsed)
    {
        if (Headers.Length == 1)
        {
            var verdict = One(delivery.Headers[Headers[0]], "the signature header is absent", "the signature header came more than once", out var line);
            if (!verdict.Passed)
            {
                return verdict;
            }

            if (!ReferenceEquals(parsed.Line, line))
            {
                parsed.Clear(_number);
                verdict = Grammar.Parse(line!, parsed);
                parsed.Verdict = verdict.Passed && parsed.Count == 0
                    ? Verdict.Reject(RejectReason.SignatureMissing, "no entry of the signature header is of the scheme's version") : verdict;
                parsed.Line = line;
            }

            return parsed.Verdict;
        }

        parsed.Clear(_number);
        foreach (var name in Headers)
        {
            var lines = delivery.Headers[name];
            if (lines.Count == 0 || (lines.Count == 1 && string.IsNullOrEmpty(lines[0])))
            {
                if (Numbered)
                {
                    break;
                }

                continue;
            }

            if (lines.Count > 1)
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "the signature header came more than once");
            }

            var verdict = Grammar.Parse(lines[0]!, parsed);
            if (!verdict.Passed)
            {
                return verdict;
            }
        }

        return parsed.Count == 0 ? Verdict.Reject(RejectReason.SignatureMissing, "none of the signature headers is present") : Verdict.Pass;
    }

    /// <summary>
    /// Texts from the request that stand beside the body in the signed bytes: one line each, plain characters, so that no border can be moved.
    /// </summary>
    private Verdict ReadSignedTexts(Delivery delivery)
    {
        if (Url is not null && (delivery.RawTarget.Length == 0 || delivery.RawTarget[0] != '/' || !StrictText.IsPlain(delivery.RawTarget)))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the request target holds characters no URL may hold unescaped");
        }

        foreach (var part in Template.Parts)
        {
            if (part.Kind != PartKind.Header)
            {
                continue;
            }

            var verdict = One(delivery.Headers[part.Header], "a signed header is absent", "a signed header came more than once", out var text);
            if (!verdict.Passed)
            {
                return verdict;
            }

            if (text!.Length > SignatureHeader.MaxLength || !StrictText.IsPlainOrSpace(text))
            {
                return Verdict.Reject(RejectReason.SignatureMalformed, "a signed header is too long or holds quotes, brackets or non-ASCII characters");
            }
        }

        return Verdict.Pass;
    }

    private static Verdict One(StringValues lines, string absent, string repeated, out string? line)
    {
        line = lines.Count == 1 ? lines[0] : null;
        if (lines.Count > 1)
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, repeated);
        }

        return string.IsNullOrEmpty(line) ? Verdict.Reject(RejectReason.SignatureMissing, absent) : Verdict.Pass;
    }
}
