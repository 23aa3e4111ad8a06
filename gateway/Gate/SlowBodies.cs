namespace WebhookEdge.Gate;

/// <summary>
/// The bodies that are being waited for, none of which has proved anything yet. When the gateway runs out of room the slowest are given up, so that
/// who sends at once finds a place: a stranger's before one whose address proved itself, then the one furthest behind a sender of
/// <see cref="ExpectedRate"/>. Looking for them is work that grows with their number, so it is the thread pool's.
/// </summary>
internal sealed class SlowBodies(Capacity capacity, TimeProvider time) : IThreadPoolWorkItem
{
    /// <summary>Bytes a second of a sender that is not behind.</summary>
    public const long ExpectedRate = 1024 * 1024;

    /// <summary>How far behind a body must be before it is given up.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    /// <summary>Looked for at most so often.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Looked for again after so long while there is too little room and nobody asks.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private readonly Part[] _parts = [.. Enumerable.Range(0, 16).Select(static _ => new Part())];
    private readonly List<Candidate> _candidates = [];
    private long _lookedAt = time.GetTimestamp() - time.TimestampFrequency;
    private long _shed;
    private int _looking;
    private AddressAccount? _crowded;
    private ITimer? _again;

    /// <summary>Bodies given up so far.</summary>
    public long Shed => Volatile.Read(ref _shed);

    /// <summary>From here on until <see cref="End"/> the body may be given up by cancelling <paramref name="stop"/>.</summary>
    public void Begin(Holding holding, CancellationTokenSource stop)
    {
        holding.ReadingSince = time.GetTimestamp();
        var part = PartOf(holding);
        lock (part.Lock)
        {
            holding.Stop = stop;
            holding.Position = part.Bodies.Count;
            part.Bodies.Add(holding);
        }
    }

    /// <summary>The body is complete, or nobody waits for it any more. May be called more than once.</summary>
    public void End(Holding holding)
    {
        var part = PartOf(holding);
        lock (part.Lock)
        {
            if (holding.Stop is null)
            {
                return;
            }

            holding.Stop = null;
            var last = part.Bodies[^1];
            part.Bodies[holding.Position] = last;
            last.Position = holding.Position;
            part.Bodies.RemoveAt(part.Bodies.Count - 1);
        }
    }

    /// <summary>There is little room; returns at once.</summary>
    public void MakeRoom()
    {
        if (Volatile.Read(ref _looking) == 0 && time.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= Pause && Interlocked.Exchange(ref _looking, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }

    /// <summary>There is little room in the share of this address; returns at once.</summary>
    public void MakeRoom(AddressAccount account)
    {
        lock (_lock)
        {
            _crowded = account;
        }

        MakeRoom();
    }

    void IThreadPoolWorkItem.Execute()
    {
        try
        {
            Look();
        }
        finally
        {
            Volatile.Write(ref _lookedAt, time.GetTimestamp());
            Volatile.Write(ref _looking, 0);
        }
    }

    private void Look()
    {
        AddressAccount? crowded;
        lock (_lock)
        {
            crowded = _crowded;
            _crowded = null;
        }

        // What was given up before and has not let go yet is as good as gone.
        var (requests, bytes) = capacity.Excess();
        var (ofAddress, bytesOfAddress) = crowded is { } one ? capacity.ExcessOf(one) : default;
        Collect(ref requests, ref bytes, ref ofAddress, ref bytesOfAddress, crowded);
        foreach (var candidate in _candidates)
        {
            var isCrowded = candidate.Account == crowded && candidate.IsCharged && (ofAddress > 0 || bytesOfAddress > 0);
            var helps = requests > 0 || (bytes > 0 && candidate.Received > 0) || isCrowded;
            if (!helps || !GiveUp(candidate))
            {
                continue;
            }

            requests--;
            bytes -= candidate.Received;
            if (isCrowded)
            {
                ofAddress--;
                bytesOfAddress -= candidate.Received;
            }
        }

        _candidates.Clear();
        if (requests > 0 || bytes > 0 || ofAddress > 0 || bytesOfAddress > 0)
        {
            LookAgainLater(crowded);
        }
    }

    /// <summary>Whoever is not behind yet may be soon. Ends by itself when nobody is waited for: then what holds the room is being delivered.</summary>
    private void LookAgainLater(AddressAccount? crowded)
    {
        if (!Array.Exists(_parts, static part => part.Bodies.Count > 0))
        {
            return;
        }

        lock (_lock)
        {
            _crowded ??= crowded;
        }

        _again ??= time.CreateTimer(static state => ((SlowBodies)state!).MakeRoom(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _again.Change(LookAgain, Timeout.InfiniteTimeSpan);
    }

    private void Collect(ref long requests, ref long bytes, ref long ofAddress, ref long bytesOfAddress, AddressAccount? crowded)
    {
        var now = time.GetTimestamp();
        foreach (var part in _parts)
        {
            lock (part.Lock)
            {
                foreach (var body in part.Bodies)
                {
                    if (body.IsShed)
                    {
                        requests--;
                        bytes -= body.Received;
                        if (body.Account == crowded && body.IsCharged)
                        {
                            ofAddress--;
                            bytesOfAddress -= body.Received;
                        }

                        continue;
                    }

                    var behind = time.GetElapsedTime(body.ReadingSince, now) - TimeSpan.FromSeconds((double)body.Received / ExpectedRate);
                    if (behind >= Patience)
                    {
                        _candidates.Add(new(body, body.Stop!, body.Account, body.IsCharged, body.Received, behind));
                    }
                }
            }
        }

        _candidates.Sort(static (one, other) =>
            one.IsCharged != other.IsCharged ? other.IsCharged.CompareTo(one.IsCharged) : other.Behind.CompareTo(one.Behind));
    }

    private bool GiveUp(in Candidate candidate)
    {
        var body = candidate.Body;
        lock (PartOf(body).Lock)
        {
            // The delivery may be another request's by now; its reading is told by who can stop it.
            if (body.Stop != candidate.Stop)
            {
                return false;
            }

            body.IsShed = true;
        }

        Interlocked.Increment(ref _shed);
        try
        {
            // Outside the lock: what was waiting for the body goes on in here.
            candidate.Stop.Cancel();
        }
        catch (Exception e) when (e is ObjectDisposedException or AggregateException)
        {
            // It ended by itself in the meantime.
        }

        return true;
    }

    private Part PartOf(Holding holding) => _parts[holding.Account.Row % _parts.Length];

    private sealed class Part
    {
        public Lock Lock { get; } = new();

        public List<Holding> Bodies { get; } = [];
    }

    private readonly record struct Candidate(
        Holding Body, CancellationTokenSource Stop, AddressAccount Account, bool IsCharged, long Received, TimeSpan Behind);
}
