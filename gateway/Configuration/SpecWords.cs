using System.Text.Json.Serialization;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>What a check does with what it would refuse.</summary>
[JsonConverter(typeof(WrittenWord.Converter))]
internal enum CheckMode
{
    [JsonStringEnumMemberName("enforce")]
    Enforce,

    /// <summary>Records it and lets it through.</summary>
    [JsonStringEnumMemberName("observe")]
    Observe,
}

/// <summary>Where a client's address is read from.</summary>
[JsonConverter(typeof(WrittenWord.Converter))]
internal enum AddressSource
{
    [JsonStringEnumMemberName("connection")]
    Connection,

    [JsonStringEnumMemberName("forwardedFor")]
    ForwardedFor,

    [JsonStringEnumMemberName("proxyProtocol")]
    ProxyProtocol,
}

/// <summary>What becomes of deliveries while the replay store is away.</summary>
[JsonConverter(typeof(WrittenWord.Converter))]
internal enum StoreErrorRule
{
    /// <summary>They are forwarded.</summary>
    [JsonStringEnumMemberName("open")]
    Open,

    /// <summary>They are refused with 503.</summary>
    [JsonStringEnumMemberName("closed")]
    Closed,
}

[JsonConverter(typeof(WrittenWord.Converter))]
internal enum MacAlgorithm
{
    [JsonStringEnumMemberName("sha1")]
    Sha1,

    [JsonStringEnumMemberName("sha256")]
    Sha256,

    [JsonStringEnumMemberName("sha512")]
    Sha512,
}

/// <summary>How a signing time is written.</summary>
[JsonConverter(typeof(WrittenWord.Converter))]
internal enum TimeUnit
{
    [JsonStringEnumMemberName("s")]
    Seconds,

    [JsonStringEnumMemberName("ms")]
    Milliseconds,

    [JsonStringEnumMemberName("iso")]
    Iso,
}

/// <summary>How the text of a secret stands for bytes.</summary>
[JsonConverter(typeof(WrittenWord.Converter))]
internal enum KeyEncoding
{
    [JsonStringEnumMemberName("utf8")]
    Utf8,

    [JsonStringEnumMemberName("base64")]
    Base64,

    [JsonStringEnumMemberName("hex")]
    Hex,
}

/// <summary>What is made of a secret's bytes before they are the key.</summary>
[JsonConverter(typeof(WrittenWord.Converter))]
internal enum KeyDerivation
{
    [JsonStringEnumMemberName("none")]
    None,

    /// <summary>The digest is the key.</summary>
    [JsonStringEnumMemberName("sha1")]
    Sha1,

    /// <summary>The digest's hex text is the key.</summary>
    [JsonStringEnumMemberName("sha256hex")]
    Sha256Hex,
}
