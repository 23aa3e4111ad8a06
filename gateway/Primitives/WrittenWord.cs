using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WebhookEdge.Primitives;

/// <summary>
/// A value that is one of a few words: an enum whose members say how they are written (<see cref="JsonStringEnumMemberNameAttribute"/>). Reader, schema,
/// messages and the signing tools read the words here and nowhere else.
/// </summary>
internal static class WrittenWord
{
    /// <summary>All words of <paramref name="type"/>, in the order of its members.</summary>
    public static IReadOnlyList<string> All(Type type) =>
        [.. type.GetFields(BindingFlags.Public | BindingFlags.Static).OrderBy(static field => (int)field.GetRawConstantValue()!)
            .Select(static field => field.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name)];

    /// <summary>The word of a value; of one that has none, its number.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum => Array.IndexOf(Words<T>.Values, value) is >= 0 and var i ? Words<T>.All[i] : value.ToString();

    private static class Words<T>
        where T : struct, Enum
    {
        public static readonly IReadOnlyList<string> All = WrittenWord.All(typeof(T));
        public static readonly T[] Values = Enum.GetValues<T>();
    }

    /// <summary>
    /// Exact in every letter. Where unknown keys are passed over, a word that is none becomes a value without a name: both have been reported by then, and what
    /// else is wrong with the file is to be told in the same round.
    /// </summary>
    internal sealed class Converter : JsonConverterFactory
    {
        public override bool CanConvert(Type typeToConvert) => typeToConvert.IsEnum;

        public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options) =>
            (JsonConverter)Activator.CreateInstance(typeof(Of<>).MakeGenericType(typeToConvert))!;

        private sealed class Of<T> : JsonConverter<T>
            where T : struct, Enum
        {
            public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
            {
                var word = reader.GetString();
                for (var i = 0; i < Words<T>.Values.Length; i++)
                {
                    if (Words<T>.All[i] == word)
                    {
                        return Words<T>.Values[i];
                    }
                }

                return options.UnmappedMemberHandling == JsonUnmappedMemberHandling.Skip ? (T)Enum.ToObject(typeof(T), -1)
                    : throw new JsonException("an unknown word");
            }

            public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(WrittenWord.Of(value));
        }
    }
}
