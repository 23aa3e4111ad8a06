namespace WebhookEdge.Observability;

/// <summary>Lets one line through in a while and counts the others, for lines that somebody else could make the log write as often as he likes.</summary>
internal sealed class LogInterval(TimeProvider time, TimeSpan every)
{
    private readonly Lock _gate = new();
    private long? _last;
    private long _unsaid;

    /// <param name="unsaid">How many were held back since the last one that was not.</param>
    public bool TryEnter(out long unsaid)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_last is { } last && time.GetElapsedTime(last, now) < every)
            {
                _unsaid++;
                unsaid = 0;
                return false;
            }

            _last = now;
            unsaid = _unsaid;
            _unsaid = 0;
            return true;
        }
    }
}
