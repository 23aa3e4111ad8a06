using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// Braintree: a form with <c>bt_payload</c> (base64) and <c>bt_signature</c> (<c>public|hex&amp;…</c>), HMAC-SHA1 under SHA1(private key), the payload with or
/// without a final line feed; as in braintree_node's webhook_notification_gateway.js. The secret is <c>public key:private key</c>.
/// https://developer.paypal.com/braintree/docs/guides/webhooks/parse
/// </summary>
/// <remarks>Other form fields are not signed, and the form can be written in many ways: the signed id is the payload's MAC.</remarks>
internal sealed class BraintreeVerifier(ImmutableArray<(byte[] Public, SigningKey Key)> keys) : ICodeVerifier
{
    private const int MaxSignatures = 8;

    private static readonly SearchValues<byte> PayloadBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\n"u8);
    private static readonly SearchValues<byte> HexBytes = SearchValues.Create("0123456789abcdefABCDEF"u8);

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "braintree",
        Facts = new(SignsBody: false, SignsId: true),
        Create = Create,
    };

    private static BraintreeVerifier? Create(CodeSetup setup)
    {
        var keys = ImmutableArray.CreateBuilder<(byte[], SigningKey)>();
        for (var i = 0; i < setup.Secrets.Count; i++)
        {
            if (setup.Pair(i, "PUBLIC_KEY:PRIVATE_KEY") is var (publicKey, privateKey))
            {
#pragma warning disable CA5350 // What Braintree does.
                keys.Add((Encoding.UTF8.GetBytes(publicKey),
                    new(setup.Secrets[i].Id, SHA1.HashData(Encoding.UTF8.GetBytes(privateKey)), HashAlgorithmName.SHA1, keyed: true)));
#pragma warning restore CA5350
            }
        }

        return new(keys.ToImmutable());
    }

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now) =>
        FormFields.IsForm(delivery) ? Verdict.Pass : Verdict.Reject(RejectReason.SignatureMissing, "the body is not a form, so it holds no signature");

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken) => new(Verify(delivery));

    private Verification Verify(Delivery delivery)
    {
        var head = CheckHead(delivery, default);
        if (!head.Passed)
        {
            return Verification.Refuse(head);
        }

        if (FormFields.Parse(delivery.Body) is not { } form)
        {
            return Verification.Malformed("the form is not properly encoded");
        }

        var (signature, payload) = (form.Single("bt_signature"u8), form.Single("bt_payload"u8));
        if (signature < 0 || payload < 0)
        {
            return signature == -2 || payload == -2 ? Verification.Malformed("bt_signature or bt_payload came more than once")
                : Verification.Missing("bt_signature or bt_payload is absent");
        }

        var text = form.Value(payload);
        if (text.IsEmpty || text.ContainsAnyExcept(PayloadBytes))
        {
            return Verification.Malformed("bt_payload is not base64");
        }

        // The GET challenge has us sign 20 to 32 hex digits of the caller's choice under the same key; such a payload proves nothing.
        if (text.Length <= 33 && !text.TrimEnd((byte)'\n').ContainsAnyExcept(HexBytes))
        {
            return Verification.Malformed("bt_payload looks like a challenge");
        }

        return Match(form.Value(signature), text);
    }

    private Verification Match(ReadOnlySpan<byte> pairs, ReadOnlySpan<byte> payload)
    {
        Span<byte> sent = stackalloc byte[SHA1.HashSizeInBytes];
        Span<byte> made = stackalloc byte[SHA1.HashSizeInBytes];
        Span<char> hex = stackalloc char[SHA1.HashSizeInBytes * 2];
        var count = 0;
        foreach (var range in pairs.Split((byte)'&'))
        {
            var pair = pairs[range];
            var bar = pair.IndexOf((byte)'|');
            if (++count > MaxSignatures || bar <= 0 || pair.Length - bar - 1 != hex.Length)
            {
                return Verification.Malformed("bt_signature is not a list of at most 8 public keys and signatures");
            }

            Encoding.Latin1.GetChars(pair[(bar + 1)..], hex);
            if (!StrictText.TryDecodeMac(hex, MacEncoding.Hex, sent))
            {
                return Verification.Malformed("a signature in bt_signature is not hex of the digest's length");
            }

            foreach (var (publicKey, key) in keys)
            {
                if (!pair[..bar].SequenceEqual(publicKey))
                {
                    continue;
                }

                for (var lineFeed = 0; lineFeed < 2; lineFeed++)
                {
                    var hash = key.Borrow();
                    hash.AppendData(payload);
                    hash.AppendData(lineFeed == 1 ? "\n"u8 : default);
                    hash.GetHashAndReset(made);
                    key.Return(hash);
                    if (CryptographicOperations.FixedTimeEquals(made, sent))
                    {
                        return Verification.Accept(key.Id, Convert.ToHexStringLower(sent));
                    }
                }
            }
        }

        return Verification.Mismatch();
    }
}
