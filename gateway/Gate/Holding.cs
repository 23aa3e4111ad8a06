namespace WebhookEdge.Gate;

/// <summary>
/// What one delivery holds of the gateway's bounds beside its bytes, and how its body is coming in. Kept with the pooled delivery; written by
/// <see cref="Capacity"/> and <see cref="SlowBodies"/> alone.
/// </summary>
internal sealed class Holding
{
    /// <summary>Where the request was let in; null before, and after it has left.</summary>
    public Capacity? In { get; set; }

    /// <summary>The sender's account, see <see cref="AddressShares"/>.</summary>
    public AddressAccount Account { get; set; }

    /// <summary>Counted against the share of its address: neither the request nor its address within the hour has proved anything.</summary>
    public bool IsCharged { get; set; }

    /// <summary>Why room was refused, for the operator; a constant.</summary>
    public string Shortage { get; set; } = Capacity.NoRequests;

    /// <summary>Ends the reading of the body; null while none is being read.</summary>
    public CancellationTokenSource? Stop { get; set; }

    /// <summary>Timestamp at which the body began to be waited for.</summary>
    public long ReadingSince { get; set; }

    /// <summary>Bytes of the body that have come while it was waited for.</summary>
    public long Received { get; set; }

    /// <summary>The body was given up to make room for others.</summary>
    public bool IsShed { get; set; }

    /// <summary>Where it stands in its list of <see cref="SlowBodies"/>.</summary>
    public int Position { get; set; }

    /// <summary>Nothing is held any more.</summary>
    public void Reset()
    {
        In = null;
        Account = default;
        IsCharged = false;
        IsShed = false;
        Received = 0;
    }
}
