using System.ComponentModel;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>How a sender proves itself. The fields and their rules: README, "Signature schemes".</summary>
internal sealed record SchemeSpec
{
    [Description("hmac, digest, token, basic, bearer, or a kind that is code: ed25519, ecdsa-p256, rsa-key, jwt-hs256, twilio, mandrill, plivo-v3, "
        + "braintree, adyen-items, mailgun, contentful, plaid, aws-sns, paypal.")]
    public string? Kind { get; init; }

    [Description("sha1, sha256 (default) or sha512.")]
    public MacAlgorithm? Algorithm { get; init; }

    [Description("The header, or the headers of which any may match, that carry the signature or the token.")]
    public OneOrMany? Header { get; init; }

    [Description("hex (default), base64 or base64url.")]
    public MacEncoding? Encoding { get; init; }

    [Description("Literal text that must stand before the signature, e.g. sha256=.")]
    public string? Prefix { get; init; }

    [Description("The header is a list of key/value entries, as in t=…,v1=….")]
    public EntriesSpec? Entries { get; init; }

    [Description("What is signed: {body} {timestamp} {id} {method} {url} {secret} {header:NAME}; the rest is literal. Default {body}.")]
    public string? Signed { get; init; }

    [Description("Say true when the signed text really holds no {body}.")]
    public bool? UnsignedBody { get; init; }

    [Description("Accept an empty body; by default it is refused, since a signature over nothing proves little.")]
    public bool? EmptyBody { get; init; }

    [Description("Where the signing time stands and how far it may be from now, both ways.")]
    public TimestampSpec? Timestamp { get; init; }

    [Description("The delivery's id: header:NAME or json:/pointer.")]
    public string? Id { get; init; }

    [Description("How the secret becomes the key.")]
    public KeySpec? Key { get; init; }

    [Description("Headers that must have exactly these values.")]
    public Dictionary<string, string>? Require { get; init; }

    [Description("Kind jwt-hs256: which claims of the token hold what.")]
    public ClaimsSpec? Claims { get; init; }

    [Description("Kind plaid: where the sender's keys are fetched; default https://production.plaid.com.")]
    public string? KeysUrl { get; init; }
}

internal sealed record ClaimsSpec
{
    [Description("The claim with the SHA-256 of the body, written as the scheme's encoding says.")]
    public string? Body { get; init; }

    [Description("Say true when the sender leaves the claim out for an empty body; a body without it is still refused.")]
    public bool? BodyOptional { get; init; }

    [Description("The claim with the SHA-256 of the URL, for senders that have one.")]
    public string? Url { get; init; }

    [Description("The value iss must have.")]
    public string? Issuer { get; init; }

    [Description("The claim with the delivery's id, e.g. jti.")]
    public string? Id { get; init; }

    [Description("Largest age of iat in seconds; absent = only exp and nbf count, where they stand.")]
    public int? MaxAgeSeconds { get; init; }
}

internal sealed record EntriesSpec
{
    [Description("Between entries, e.g. a comma.")]
    public string? Separator { get; init; }

    [Description("Between key and value, e.g. =.")]
    public string? KeySeparator { get; init; }

    [Description("The key of a signature entry, e.g. v1; every such entry is a candidate.")]
    public string? Key { get; init; }

    [Description("Between whole groups of entries, e.g. a space (Persona on rotation).")]
    public string? Group { get; init; }
}

internal sealed record TimestampSpec
{
    [Description("entry:KEY, header:NAME or json:/pointer.")]
    public string? From { get; init; }

    [Description("s (default), ms or iso.")]
    public TimeUnit? Unit { get; init; }

    [Description("Largest distance from now in seconds, past and future alike; default 300; 0 = no age check."), Between(0, 86_400)]
    public int? ToleranceSeconds { get; init; }
}

internal sealed record KeySpec
{
    [Description("Literal text to take off the front of the secret, e.g. whsec_.")]
    public string? Strip { get; init; }

    [Description("utf8 (default), base64 or hex.")]
    public KeyEncoding? Encoding { get; init; }

    [Description("none (default), sha1 (the digest is the key) or sha256hex (its hex text is the key).")]
    public KeyDerivation? Derive { get; init; }
}
