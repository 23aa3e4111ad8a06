using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Plaid: a JSON web token under ES256 with the body's SHA-256; its key is fetched from Plaid's API by <c>kid</c>, which needs the account's credentials. The
/// secret is <c>client_id:secret</c>. https://plaid.com/docs/api/webhooks/webhook-verification/
/// </summary>
internal sealed class PlaidVerifier(ImmutableArray<PlaidVerifier.Account> accounts, TimeSpan maxAge, RemoteKeys keys) : ICodeVerifier
{
    private const string Header = "Plaid-Verification";
    private const string DefaultPlace = "https://production.plaid.com";

    private static readonly string[] KnownPlaces = [DefaultPlace, "https://sandbox.plaid.com", "https://development.plaid.com"];
    private static readonly TimeSpan Leeway = TimeSpan.FromSeconds(60);

    /// <summary>A key is asked for again after this, so that its expiry is noticed.</summary>
    private static readonly TimeSpan KeepKey = TimeSpan.FromHours(1);

    private static readonly SearchValues<char> KeyIdCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "plaid",
        Facts = new(SignsBody: true, SignsTime: true),
        Fields = ["keysUrl", "timestamp.toleranceSeconds"],
        Check = static setup =>
        {
            if (setup.Spec.KeysUrl is { } url && !KnownPlaces.Contains(url))
            {
                setup.Fault("keysUrl", "not one of Plaid's environments", $"known: {string.Join(", ", KnownPlaces)}");
            }
        },
        Create = Create,
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now)
    {
        var verdict = ReadHead(delivery, now, out var token);
        token?.Dispose();
        return verdict;
    }

    public async ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var verdict = ReadHead(delivery, now, out var token);
        using (token)
        {
            if (!verdict.Passed)
            {
                return Verification.Refuse(verdict);
            }

            if (token!.Claims.Text("request_body_sha256") is not { } text || !MatchesBody(delivery, text))
            {
                // Said before the signature is checked and without a fetch: the claim is wrong whoever made it.
                return Verification.Mismatch("the body is not the one whose hash the token holds");
            }

            var digest = SHA256.HashData(token.SignedText);
            var last = KeyFetch.NoSuchKey;
            foreach (var account in accounts)
            {
                var question = account.Keys.Ask(token.KeyId!, delivery);
                var (result, remote) = await keys.GetAsync(question, cancellationToken);
                if (remote is not null)
                {
                    if (!remote.Key.Verifies(digest, token.Signature))
                    {
                        return Verification.Mismatch("the key that the token names does not make its signature");
                    }

                    keys.Proved(question);
                    return Verification.Accept(account.Id, null, token.Time("iat"));
                }

                last = result == KeyFetch.Unavailable ? result : last;
            }

            return CertificateKeys.Refuse(last);
        }
    }

    private static PlaidVerifier? Create(CodeSetup setup)
    {
        if (setup.Context.Keys is not { } keys)
        {
            setup.Fault("kind", "keys cannot be fetched here", "plaid works in the gateway and in explain");
            return null;
        }

        var place = setup.Spec.KeysUrl ?? DefaultPlace;
        var accounts = ImmutableArray.CreateBuilder<Account>();
        for (var i = 0; i < setup.Secrets.Count; i++)
        {
            if (setup.Pair(i, "CLIENT_ID:SECRET") is var (clientId, secret))
            {
                accounts.Add(new(setup.Secrets[i].Id, new($"{place}|{clientId}", keyId => Request(place, clientId, secret, keyId), ReadKey)));
            }
        }

        return new(accounts.ToImmutable(), TimeSpan.FromMilliseconds(setup.Tolerance(300)), keys);
    }

    private Verdict ReadHead(Delivery delivery, DateTimeOffset now, out JsonWebToken? token)
    {
        token = null;
        var verdict = HeaderLine.Read(delivery, Header, out var line);
        if (!verdict.Passed)
        {
            return verdict;
        }

        token = JsonWebToken.Parse(line, "ES256", 64);
        if (token is null || token.KeyId is not { Length: > 0 and <= 64 } keyId || keyId.AsSpan().ContainsAnyExcept(KeyIdCharacters))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "not a JSON web token signed with ES256 under a named key");
        }

        // Not signed yet as far as we know; but a token that is too old by its own word needs no key.
        return JwtTimes.Check(token, now, Leeway, maxAge, out _);
    }

    private static bool MatchesBody(Delivery delivery, string text)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        return StrictText.TryDecodeMac(text, MacEncoding.Hex, hash) && BodyHashing.Matches(delivery.Body, hash);
    }

    private static HttpRequestMessage Request(string place, string clientId, string secret, string keyId) =>
        new(HttpMethod.Post, place + "/webhook_verification_key/get")
    {
        Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["client_id"] = clientId,
            ["secret"] = secret,
            ["key_id"] = keyId,
        }))
        {
            Headers = { ContentType = new("application/json") },
        },
    };

    private static RemoteKey? ReadKey(byte[] answer, DateTimeOffset now)
    {
        using var document = StrictDocument.Parse(new(answer));
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("key", out var key)
            || key.Text("kty") != "EC" || key.Text("crv") != "P-256" || key.Text("alg") is not (null or "ES256") || key.Has("expired_at")
            || Coordinate(key.Text("x")) is not { } x || Coordinate(key.Text("y")) is not { } y)
        {
            return null;
        }

        var parameters = new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = x, Y = y } };
        return EcdsaKey.Create("", parameters, DSASignatureFormat.IeeeP1363FixedFieldConcatenation) is { } read ? new(read, now + KeepKey) : null;
    }

    private static byte[]? Coordinate(string? text)
    {
        var bytes = new byte[32];
        return text is not null && StrictText.TryDecodeBase64(text, bytes, urlAlphabet: true, Padding.Optional, out var length) && length == 32 ? bytes : null;
    }

    /// <summary>Whose keys are asked for. The source holds the account's secret, which goes to Plaid and nowhere else.</summary>
    internal sealed record Account(string Id, KeySource Keys)
    {
        public override string ToString() => Id;
    }
}
