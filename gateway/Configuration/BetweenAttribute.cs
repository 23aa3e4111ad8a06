using System.Text.Json;
using WebhookEdge.Primitives;

namespace WebhookEdge.Configuration;

/// <summary>The least and the most that may be written for a whole number or a duration. The structure check and the schema read it.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class BetweenAttribute : Attribute
{
    private readonly Duration? _shortest;
    private readonly Duration? _longest;

    public BetweenAttribute(int least, int most) => (Least, Most) = (least, most);

    /// <param name="shortest">A duration as in the file, e.g. <c>10ms</c>.</param>
    /// <param name="longest">Likewise.</param>
    public BetweenAttribute(string shortest, string longest) => (_shortest, _longest) = (Parse(shortest), Parse(longest));

    /// <summary>Of a whole number; null of a duration.</summary>
    public int? Least { get; }

    /// <inheritdoc cref="Least"/>
    public int? Most { get; }

    /// <summary>What is wrong with <paramref name="value"/>, an <see cref="int"/> or a <see cref="Duration"/>, and the way out; null when nothing is.</summary>
    public (string Message, string Hint)? FaultOf(object? value) => value switch
    {
        int number when number < Least || number > Most => ($"{number} is out of range", $"{Least:N0} to {Most:N0}"),
        Duration duration when duration.Value < _shortest?.Value || duration.Value > _longest?.Value =>
            ($"{duration} is out of range", $"{_shortest} to {_longest}"),
        _ => null,
    };

    private static Duration Parse(string text) => JsonSerializer.Deserialize<Duration>($"\"{text}\"");
}
