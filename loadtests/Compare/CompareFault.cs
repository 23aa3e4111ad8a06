namespace WebhookEdge.LoadTests;

/// <summary>A comparison cannot be made or would not be true. The message is for people; no table is printed.</summary>
internal sealed class CompareFault : Exception
{
    public CompareFault(string message)
        : base(message)
    {
    }

    public CompareFault()
    {
    }

    public CompareFault(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
