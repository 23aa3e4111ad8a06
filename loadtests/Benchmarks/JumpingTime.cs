namespace WebhookEdge.LoadTests;

/// <summary>The system's clock, which can be set forward: what was remembered for hours is forgotten between two rounds of a benchmark.</summary>
internal sealed class JumpingTime : TimeProvider
{
    private TimeSpan _ahead;

    public override long TimestampFrequency => System.TimestampFrequency;

    public void Jump(TimeSpan span) => _ahead += span;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _ahead;

    public override long GetTimestamp() => System.GetTimestamp() + (long)(_ahead.TotalSeconds * TimestampFrequency);
}
