using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Handshakes;

/// <summary>
/// How each sender's challenge is read and answered. The table with what is known of them: docs of each provider, named where it is not obvious.
/// </summary>
internal static class Challenges
{
    private static readonly SearchValues<char> HexCharacters = SearchValues.Create("0123456789abcdef");
    private static readonly JsonPointer Type = Pointer("/type");
    private static readonly JsonPointer Challenge = Pointer("/challenge");
    private static readonly JsonPointer Event = Pointer("/event");
    private static readonly JsonPointer PlainToken = Pointer("/payload/plainToken");
    private static readonly JsonPointer DiscordEvent = Pointer("/event/type");

    /// <summary>GET <c>hub.mode=subscribe&amp;hub.verify_token&amp;hub.challenge</c>: Facebook, Instagram, Messenger, WhatsApp, and WebSub hubs.</summary>
    public static Verdict Meta(Delivery delivery, HandshakeSetup setup)
    {
        if (ChallengeText.Parameter(delivery, "hub.mode") is null)
        {
            return Verdict.Pass;
        }

        if (ChallengeText.Parameter(delivery, "hub.mode") != "subscribe" || ChallengeText.Parameter(delivery, "hub.challenge") is not { } challenge
            || !ChallengeText.IsToken(challenge))
        {
            return Malformed();
        }

        return IsToken(ChallengeText.Parameter(delivery, "hub.verify_token"), setup)
            ? Answers.Text(challenge)
            : Verdict.Reject(RejectReason.CredentialMismatch, "hub.verify_token is not the route's verifyToken");
    }

    /// <summary>GET <c>challenge=</c>, sent back: Dropbox, Adobe I/O.</summary>
    public static Verdict Echo(Delivery delivery, HandshakeSetup setup) => ChallengeText.Parameter(delivery, "challenge") switch
    {
        null => Verdict.Pass,
        var challenge when ChallengeText.IsToken(challenge) => Answers.Text(challenge),
        _ => Malformed(),
    };

    public static Verdict Okta(Delivery delivery, HandshakeSetup setup)
    {
        var lines = delivery.Headers["X-Okta-Verification-Challenge"];
        return lines.Count == 0 ? Verdict.Pass
            : lines.Count == 1 && ChallengeText.IsToken(lines[0]) ? Answers.Json($$"""{"verification":"{{lines[0]}}"}""")
            : Malformed();
    }

    /// <summary>
    /// GET <c>crc_token=</c>, unsigned, answered with its HMAC under the consumer secret, which signs events too: see <see cref="ChallengeText.IsSignable"/>.
    /// </summary>
    public static Verdict X(Delivery delivery, HandshakeSetup setup) => ChallengeText.Parameter(delivery, "crc_token") switch
    {
        null => Verdict.Pass,
        var token when ChallengeText.IsSignable(token) =>
            Answers.Json(
                $$"""{"response_token":"sha256={{Convert.ToBase64String(HMACSHA256.HashData(setup.Secrets[0].Value, Encoding.ASCII.GetBytes(token)))}}"}"""),
        _ => Malformed(),
    };

    /// <summary>GET <c>bt_challenge=</c>, 20 to 32 hex digits, signed with the key that signs events; the verifier refuses such texts as payloads.</summary>
    public static Verdict Braintree(Delivery delivery, HandshakeSetup setup)
    {
        if (ChallengeText.Parameter(delivery, "bt_challenge") is not { } challenge)
        {
            return Verdict.Pass;
        }

        var secret = setup.Secrets[0].Value.AsSpan();
        var colon = secret.IndexOf((byte)':');
        if (challenge.Length is < 20 or > 32 || challenge.AsSpan().ContainsAnyExcept(HexCharacters) || colon <= 0)
        {
            return Malformed();
        }

#pragma warning disable CA5350 // What Braintree does.
        var mac = HMACSHA1.HashData(SHA1.HashData(secret[(colon + 1)..]), Encoding.ASCII.GetBytes(challenge));
#pragma warning restore CA5350
        return Answers.Text($"{Encoding.ASCII.GetString(secret[..colon])}|{Convert.ToHexStringLower(mac)}");
    }

    /// <summary>GET <c>challenge_code=</c>, answered with SHA-256(code, token, endpoint).</summary>
    public static Verdict Ebay(Delivery delivery, HandshakeSetup setup)
    {
        if (ChallengeText.Parameter(delivery, "challenge_code") is not { } code)
        {
            return Verdict.Pass;
        }

        return ChallengeText.IsToken(code)
            ? Answers.Json($$"""{"challengeResponse":"{{Digest([.. Encoding.ASCII.GetBytes(code), .. setup.VerifyToken!, .. Encoding.UTF8.GetBytes(setup.Url!)])}}"}""")
            : Malformed();
    }

    /// <summary>GET with the client id in a header, given back in a header of the same name; only the configured id is.</summary>
    public static Verdict AdobeSign(Delivery delivery, HandshakeSetup setup)
    {
        const string Name = "X-AdobeSign-ClientId";
        var lines = delivery.Headers[Name];
        if (lines.Count == 0)
        {
            return Verdict.Pass;
        }

        return lines.Count == 1 && ChallengeText.IsToken(lines[0]) && IsToken(lines[0], setup)
            ? Verdict.Answered(new(200, null, default, Name, lines[0]))
            : Verdict.Reject(RejectReason.CredentialMismatch, "the client id is not the route's verifyToken");
    }

    /// <summary>POST <c>?validationToken=</c>, sent back as text.</summary>
    public static Verdict MicrosoftGraph(Delivery delivery, HandshakeSetup setup) => ChallengeText.Parameter(delivery, "validationToken") switch
    {
        null => Verdict.Pass,
        var token when ChallengeText.IsProse(token) => Answers.Text(token),
        _ => Malformed(),
    };

    /// <summary>POST of exactly <c>{"challenge":"…"}</c>, sent back.</summary>
    public static Verdict Monday(Delivery delivery, HandshakeSetup setup)
    {
        if (delivery.Body.Length > ChallengeText.MaxLength * 2 || !HasOneProperty(delivery.Body)
            || ChallengeText.BodyToken(delivery, Challenge) is not { } challenge)
        {
            return Verdict.Pass;
        }

        return Answers.Json($$"""{"challenge":"{{challenge}}"}""");
    }

    public static Verdict Slack(Delivery delivery, HandshakeSetup setup) =>
        !Is(delivery, Type, "url_verification"u8) ? Verdict.Pass
        : ChallengeText.BodyToken(delivery, Challenge) is { } challenge ? Answers.Text(challenge)
        : Malformed();

    /// <summary>The token is signed with the secret that signed the request, and holds nothing an event would need (<c>v0:time:{…}</c>).</summary>
    public static Verdict Zoom(Delivery delivery, HandshakeSetup setup)
    {
        if (!Is(delivery, Event, "endpoint.url_validation"u8))
        {
            return Verdict.Pass;
        }

        var keyId = delivery.Proof!.Value.KeyId;
        var secret = setup.Secrets.FirstOrDefault(s => s.Id == keyId);
        return secret is not null && ChallengeText.BodyToken(delivery, PlainToken) is { } token
            ? Answers.Json($$"""{"plainToken":"{{token}}","encryptedToken":"{{Mac(secret.Value, token)}}"}""")
            : Malformed();
    }

    /// <summary>The header that names the message type is not signed, so the body must be a challenge as well.</summary>
    public static Verdict Twitch(Delivery delivery, HandshakeSetup setup)
    {
        var lines = delivery.Headers["Twitch-Eventsub-Message-Type"];
        return lines.Count == 1 && lines[0] == "webhook_callback_verification" && ChallengeText.BodyToken(delivery, Challenge) is { } challenge
            ? Answers.Text(challenge) : Verdict.Pass;
    }

    /// <summary>
    /// An interaction's PING has type 1 and wants type 1 back; a webhook event's PING has type 0 and wants 204. An event proper has type 1 and an event.
    /// </summary>
    public static Verdict Discord(Delivery delivery, HandshakeSetup setup)
    {
        Span<byte> number = stackalloc byte[8];
        Span<byte> text = stackalloc byte[256];
        var kind = Type.Find(delivery.Body, number, out var length);
        if (kind != JsonScalar.Number || length != 1 || DiscordEvent.Find(delivery.Body, text, out _) != JsonScalar.None)
        {
            return Verdict.Pass;
        }

        return number[0] switch
        {
            (byte)'0' => Answers.Empty(204),
            (byte)'1' => Answers.Json("""{"type":1}"""),
            _ => Verdict.Pass,
        };
    }

    /// <summary>"Intent to receive": no events, signed, some wrongly on purpose; a right one wants 200 and nothing else.</summary>
    public static Verdict Xero(Delivery delivery, HandshakeSetup setup) => HasEmptyEvents(delivery.Body) ? Answers.Empty(200) : Verdict.Pass;

    private static Verdict Malformed() => Verdict.Reject(RejectReason.RequestMalformed, "a challenge that is not as its sender writes it");

    private static bool IsToken(string? text, HandshakeSetup setup)
    {
        Span<byte> sent = stackalloc byte[SHA256.HashSizeInBytes];
        Span<byte> expected = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text ?? ""), sent);
        SHA256.HashData(setup.VerifyToken!, expected);
        return text is { Length: > 0 } && CryptographicOperations.FixedTimeEquals(sent, expected);
    }

    private static bool Is(Delivery delivery, JsonPointer pointer, ReadOnlySpan<byte> expected)
    {
        Span<byte> bytes = stackalloc byte[64];
        return pointer.Find(delivery.Body, bytes, out var length) == JsonScalar.String && bytes[..length].SequenceEqual(expected);
    }

    private static bool HasOneProperty(in ReadOnlySequence<byte> body) =>
        Inspect(body, static root => root.ValueKind == JsonValueKind.Object && root.GetPropertyCount() == 1);

    private static bool HasEmptyEvents(in ReadOnlySequence<byte> body) =>
        Inspect(body, static root => root.ValueKind == JsonValueKind.Object && root.TryGetProperty("events", out var events)
            && events.ValueKind == JsonValueKind.Array && events.GetArrayLength() == 0);

    private static bool Inspect(in ReadOnlySequence<byte> body, Func<JsonElement, bool> test)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new() { AllowDuplicateProperties = false });
            return test(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static JsonPointer Pointer(string text) => JsonPointer.TryParse(text, out var pointer) ? pointer : throw new InvalidOperationException(text);

    private static string Digest(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static string Mac(byte[] key, string text) => Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(text)));
}
