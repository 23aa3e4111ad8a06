using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>
/// Marks a value that may be written in two forms: a short one (a string or a list of strings) or <see cref="Long"/>.
/// The structure check and the schema generator read it.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class TwoFormsAttribute : Attribute
{
    public required Type Short { get; init; }

    public Type? Long { get; init; }
}

/// <summary>A string or a list of strings.</summary>
[JsonConverter(typeof(OneOrManyConverter)), TwoForms(Short = typeof(string), Long = typeof(IReadOnlyList<string>))]
internal sealed record OneOrMany(IReadOnlyList<string> Values);

/// <summary>A scheme by name, or written out.</summary>
[JsonConverter(typeof(SchemeRefConverter)), TwoForms(Short = typeof(string), Long = typeof(SchemeSpec))]
internal sealed record SchemeRef(string? Name, SchemeSpec? Inline);

/// <summary>A list of sources, or an object with the list and a mode.</summary>
[JsonConverter(typeof(AllowSpecConverter)), TwoForms(Short = typeof(IReadOnlyList<string>), Long = typeof(AllowOptions))]
internal sealed record AllowSpec(IReadOnlyList<string> From, CheckMode? Mode);

internal sealed record AllowOptions
{
    [Description("Where requests may come from.")]
    public IReadOnlyList<string>? From { get; init; }

    [Description("enforce (default) or observe.")]
    public CheckMode? Mode { get; init; }
}

/// <summary><c>"off"</c> (then <see cref="Options"/> is null), or an object.</summary>
[JsonConverter(typeof(ReplaySpecConverter)), TwoForms(Short = typeof(string), Long = typeof(ReplayOptions))]
internal sealed record ReplaySpec(string? Word, ReplayOptions? Options);

internal sealed record ReplayOptions
{
    [Description("What makes two deliveries the same: body, id (when the scheme signs one), json:/pointer, header:NAME; all parts together.")]
    public IReadOnlyList<string>? Key { get; init; }

    [Description("How long a delivered event is remembered; default 72h."), Between("1s", "30d")]
    public Duration? Ttl { get; init; }

    [Description("open (default): forward while the store is away; closed: 503.")]
    public StoreErrorRule? OnStoreError { get; init; }

    [Description("enforce (default) or observe.")]
    public CheckMode? Mode { get; init; }
}

/// <summary>A handshake by name (or <c>"off"</c>), or with what it needs.</summary>
[JsonConverter(typeof(HandshakeSpecConverter)), TwoForms(Short = typeof(string), Long = typeof(HandshakeOptions))]
internal sealed record HandshakeSpec(string? Name, string? VerifyToken);

internal sealed record HandshakeOptions
{
    [Description("meta, dropbox, adobe-io, okta, slack, zoom, x, braintree, ebay, msgraph, twitch, monday, adobe-sign, discord or xero.")]
    public string? Name { get; init; }

    [Description("Reference env:NAME or file:PATH to the token the sender must show (meta, adobe-sign: the client id) or is proved with (ebay).")]
    public string? VerifyToken { get; init; }
}

internal sealed class HandshakeSpecConverter : JsonConverter<HandshakeSpec>
{
    public override HandshakeSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return new(reader.GetString(), null);
        }

        var written = JsonSerializer.Deserialize<HandshakeOptions>(ref reader, options);
        return new(written?.Name, written?.VerifyToken);
    }

    public override void Write(Utf8JsonWriter writer, HandshakeSpec value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, new HandshakeOptions { Name = value.Name, VerifyToken = value.VerifyToken }, options);
}

internal sealed class OneOrManyConverter : JsonConverter<OneOrMany>
{
    public override OneOrMany Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new([reader.GetString()!])
            : new(JsonSerializer.Deserialize<List<string>>(ref reader, options) ?? []);

    public override void Write(Utf8JsonWriter writer, OneOrMany value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, value.Values, options);
}

internal sealed class SchemeRefConverter : JsonConverter<SchemeRef>
{
    public override SchemeRef Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new(reader.GetString(), null)
            : new(null, JsonSerializer.Deserialize<SchemeSpec>(ref reader, options));

    public override void Write(Utf8JsonWriter writer, SchemeRef value, JsonSerializerOptions options)
    {
        if (value.Name is not null)
        {
            writer.WriteStringValue(value.Name);
        }
        else
        {
            JsonSerializer.Serialize(writer, value.Inline, options);
        }
    }
}

internal sealed class AllowSpecConverter : JsonConverter<AllowSpec>
{
    public override AllowSpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.StartArray)
        {
            return new(JsonSerializer.Deserialize<List<string>>(ref reader, options) ?? [], null);
        }

        var written = JsonSerializer.Deserialize<AllowOptions>(ref reader, options);
        return new(written?.From ?? [], written?.Mode);
    }

    public override void Write(Utf8JsonWriter writer, AllowSpec value, JsonSerializerOptions options) =>
        JsonSerializer.Serialize(writer, new AllowOptions { From = value.From, Mode = value.Mode }, options);
}

internal sealed class ReplaySpecConverter : JsonConverter<ReplaySpec>
{
    public override ReplaySpec Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new(reader.GetString(), null)
            : new(null, JsonSerializer.Deserialize<ReplayOptions>(ref reader, options));

    public override void Write(Utf8JsonWriter writer, ReplaySpec value, JsonSerializerOptions options)
    {
        if (value.Options is null)
        {
            writer.WriteStringValue(value.Word);
        }
        else
        {
            JsonSerializer.Serialize(writer, value.Options, options);
        }
    }
}
