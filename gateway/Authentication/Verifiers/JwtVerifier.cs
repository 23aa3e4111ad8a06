using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// A JSON web token under HS256 whose claims hold the body's SHA-256 (and, where the sender does it, the URL's): Netlify, MessageBird, Vonage, FusionAuth.
/// The algorithm is fixed here and never the token's choice; <c>exp</c> and <c>nbf</c> count wherever they stand.
/// </summary>
internal sealed class JwtVerifier : ICodeVerifier
{
    private static readonly TimeSpan Leeway = TimeSpan.FromSeconds(60);
    private static readonly string[] Needed = ["header", "claims"];

    private readonly ImmutableArray<SigningKey> _keys;
    private readonly string _header;
    private readonly string _prefix;
    private readonly MacEncoding _encoding;
    private readonly ClaimsSpec _claims;
    private readonly UrlRule? _url;

    private JwtVerifier(CodeSetup setup)
    {
        _keys = setup.Keys(HashAlgorithmName.SHA256);
        _header = setup.Spec.Header!.Values[0];
        _prefix = setup.Spec.Prefix ?? "";
        _encoding = setup.Spec.Encoding ?? MacEncoding.Hex;
        _claims = setup.Spec.Claims!;
        _url = setup.Url;
    }

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "jwt-hs256",
        Facts = new(SignsBody: true),
        Fields = ["header", "prefix", "encoding", "key", "claims"],
        Check = CheckFields,
        Create = static setup => new JwtVerifier(setup),
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        var verdict = ReadToken(delivery, out var token);
        token?.Dispose();
        return verdict;
    }

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var verdict = ReadToken(delivery, out var token);
        if (token is null)
        {
            return new(Verification.Refuse(verdict));
        }

        using (token)
        {
            return new(Verify(delivery, token, now));
        }
    }

    private static void CheckFields(CodeSetup setup)
    {
        foreach (var field in Needed)
        {
            if (field == "header" ? setup.Spec.Header is not { Values: [_] } : setup.Spec.Claims is null)
            {
                setup.Fault(field, "missing",
                    field == "header" ? "name the one header that carries the token" : "say which claims hold the hashes: { \"body\": \"payload_hash\" }");
            }
        }

        if (setup.Spec.Claims is { } claims && string.IsNullOrEmpty(claims.Body))
        {
            setup.Fault("claims.body", "missing", "name the claim with the body's SHA-256; without one the token would hold for any body");
        }

        if (setup.Spec.Claims?.MaxAgeSeconds is < 1 or > 86_400)
        {
            setup.Fault("claims.maxAgeSeconds", "out of range", "1 to 86400");
        }
    }

    private Verdict ReadToken(Delivery delivery, out JsonWebToken? token)
    {
        token = null;
        var verdict = HeaderLine.Read(delivery, _header, out var line);
        if (!verdict.Passed)
        {
            return verdict;
        }

        // An auth scheme's name in any case (RFC 9110 §11.1); any other prefix to the letter.
        if (!line.StartsWith(_prefix, _prefix.EndsWith(' ') ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the token does not stand behind the scheme's prefix");
        }

        token = JsonWebToken.Parse(line.AsSpan(_prefix.Length), "HS256", SHA256.HashSizeInBytes);
        return token is null ? Verdict.Reject(RejectReason.SignatureMalformed, "not a JSON web token signed with HS256") : _url is null ? Verdict.Pass
            : HeaderLine.CheckTarget(delivery);
    }

    private Verification Verify(Delivery delivery, JsonWebToken token, DateTimeOffset now)
    {
        if (_url is not null && HeaderLine.CheckTarget(delivery) is { Passed: false } refused)
        {
            return Verification.Refuse(refused);
        }

        if (Match(token) is not { } keyId)
        {
            return Verification.Mismatch("no active secret makes this token");
        }

        // Signed from here on.
        if (_claims.Issuer is { } issuer && token.Claims.Text("iss") != issuer)
        {
            return Verification.Mismatch("the token is from another issuer");
        }

        var late = JwtTimes.Check(token, now, Leeway, _claims.MaxAgeSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null, out var signedTime);
        if (!late.Passed)
        {
            return Verification.Refuse(late);
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        if (token.Claims.Has(_claims.Body!))
        {
            if (!TryRead(token.Claims.Text(_claims.Body!), hash) || !BodyHashing.Matches(delivery.Body, hash)
                || (delivery.Body.IsEmpty && _claims.BodyOptional == true))
            {
                return Verification.Mismatch("the body is not the one whose hash the token holds");
            }
        }
        else if (_claims.BodyOptional != true || !delivery.Body.IsEmpty)
        {
            return Verification.Mismatch("the token holds no hash of the body");
        }

        if (_url is not null && !MatchesUrl(delivery, token, hash))
        {
            return Verification.Mismatch("the URL is not the one whose hash the token holds; is edge.publicUrl what the sender was given?");
        }

        string? id = null;
        if (_claims.Id is { } idClaim)
        {
            id = token.Claims.Text(idClaim);
            if (id is not { Length: > 0 and <= 256 })
            {
                return Verification.Missing("the token holds no usable id");
            }
        }

        return Verification.Accept(keyId, id, signedTime);
    }

    private string? Match(JsonWebToken token)
    {
        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var key in _keys)
        {
            var hash = key.Borrow();
            hash.AppendData(token.SignedText);
            hash.GetHashAndReset(made);
            key.Return(hash);
            if (CryptographicOperations.FixedTimeEquals(made, token.Signature))
            {
                return key.Id;
            }
        }

        return null;
    }

    private bool MatchesUrl(Delivery delivery, JsonWebToken token, Span<byte> hash)
    {
        if (!TryRead(token.Claims.Text(_claims.Url!), hash))
        {
            return false;
        }

        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(_url!.Base) + _url.Rest(delivery.RawTarget).ToString()), made);
        return CryptographicOperations.FixedTimeEquals(made, hash);
    }

    private bool TryRead(string? text, Span<byte> hash) => text is not null && StrictText.TryDecodeMac(text, _encoding, hash);
}

/// <summary>The times of a token, once its signature holds.</summary>
internal static class JwtTimes
{
    /// <param name="maxAge">Largest age of <c>iat</c>, which must be there then; null = none.</param>
    /// <param name="signedTime"><c>iat</c>, else <c>nbf</c>; null when the token has neither.</param>
    public static Verdict Check(JsonWebToken token, DateTimeOffset now, TimeSpan leeway, TimeSpan? maxAge, out long? signedTime)
    {
        var (issued, notBefore, expires) = (token.Time("iat"), token.Time("nbf"), token.Time("exp"));
        signedTime = issued ?? notBefore;
        if ((token.Claims.Has("iat") && issued is null) || (token.Claims.Has("nbf") && notBefore is null) || (token.Claims.Has("exp") && expires is null)
            || (maxAge is not null && issued is null))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "a time in the token is absent or not a whole number of seconds");
        }

        var (at, slack) = (now.ToUnixTimeMilliseconds(), (long)leeway.TotalMilliseconds);
        var outside = (expires is { } end && at > end + slack)
            || (notBefore is { } start && at < start - slack)
            || (issued is { } made && at < made - slack)
            || (maxAge is { } age && at > issued!.Value + (long)age.TotalMilliseconds);
        return outside ? Verdict.Reject(RejectReason.TimestampOutsideWindow, "the token is not valid yet or no longer") : Verdict.Pass;
    }
}
