using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Adyen's payment notifications: each item carries a base64 HMAC-SHA256 over eight of its fields joined with colons; every item must hold, and there
/// must be one. https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures
/// </summary>
/// <remarks>
/// The rest of the body is not signed, so the trust is "authenticated", and the signed id is a hash of what is: a captured notification with other
/// additional data is a duplicate.
/// </remarks>
internal sealed class AdyenItemsVerifier(ImmutableArray<SigningKey> keys) : ICodeVerifier
{
    private const int MaxItems = 100;

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "adyen-items",
        Facts = new(SignsBody: false, SignsId: true),
        Fields = ["key"],
        Create = static setup =>
            new AdyenItemsVerifier(setup.Keys(HashAlgorithmName.SHA256, setup.Spec.Key is null ? new([], KeyEncoding.Hex, KeyDerivation.None) : null)),
    };

    /// <summary>The head shows nothing: the signatures stand in the body.</summary>
    public Verdict CheckHead(Delivery delivery, DateTimeOffset now) => Verdict.Pass;

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken) => new(Verify(delivery));

    private Verification Verify(Delivery delivery)
    {
        using var document = StrictDocument.Parse(delivery.Body);
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("notificationItems", out var items) || items.ValueKind != JsonValueKind.Array)
        {
            return Verification.Missing("the body holds no notificationItems, so no signature");
        }

        Span<byte> mac = stackalloc byte[SHA256.HashSizeInBytes];
        string? keyId = null;
        var count = 0;
        using var all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var wrapped in items.EnumerateArray())
        {
            if (++count > MaxItems)
            {
                return Verification.Malformed("more than 100 notification items");
            }

            if (wrapped.ValueKind != JsonValueKind.Object || !wrapped.TryGetProperty("NotificationRequestItem", out var item) || Sign(item) is not { } signed)
            {
                return Verification.Malformed("a notification item lacks a signed field");
            }

            if (!item.TryGetProperty("additionalData", out var additional) || additional.Text("hmacSignature") is not { Length: > 0 } text)
            {
                return Verification.Missing("a notification item holds no hmacSignature");
            }

            if (!StrictText.TryDecodeMac(text, MacEncoding.Base64, mac))
            {
                return Verification.Malformed("an hmacSignature is not canonical base64 of the digest's length");
            }

            keyId = Match(signed, mac);
            if (keyId is null)
            {
                return Verification.Mismatch("no active secret makes a notification item's signature");
            }

            all.AppendData(mac);
        }

        return keyId is null ? Verification.Missing("notificationItems is empty") : Verification.Accept(keyId, Convert.ToHexStringLower(all.GetHashAndReset()));
    }

    private string? Match(byte[] signed, ReadOnlySpan<byte> mac)
    {
        Span<byte> made = stackalloc byte[SHA256.HashSizeInBytes];
        foreach (var key in keys)
        {
            var hash = key.Borrow();
            hash.AppendData(signed);
            hash.GetHashAndReset(made);
            key.Return(hash);
            if (CryptographicOperations.FixedTimeEquals(made, mac))
            {
                return key.Id;
            }
        }

        return null;
    }

    /// <summary>
    /// The signed text; null when a field is missing or holds what would let the text be cut into other fields: a colon anywhere but in the merchant's
    /// own reference, of which the others then leave no doubt.
    /// </summary>
    private static byte[]? Sign(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("amount", out var amount))
        {
            return null;
        }

        string?[] fields =
        [
            item.Text("pspReference"), item.Has("originalReference") ? item.Text("originalReference") : "", item.Text("merchantAccountCode"),
            item.Has("merchantReference") ? item.Text("merchantReference") : "",
            amount.Digits("value"), amount.Text("currency"), item.Text("eventCode"), Success(item),
        ];
        for (var i = 0; i < fields.Length; i++)
        {
            if (fields[i] is not { } field || (i != 3 && field.Contains(':', StringComparison.Ordinal)))
            {
                return null;
            }
        }

        return Encoding.UTF8.GetBytes(string.Join(':', fields));
    }

    /// <summary>Adyen writes a string; true and false are read too.</summary>
    private static string? Success(JsonElement item) => item.TryGetProperty("success", out var success)
        ? success.ValueKind switch
        {
            JsonValueKind.True => "true",
            JsonValueKind.False => "false",
            _ => item.Text("success"),
        }
        : null;
}
