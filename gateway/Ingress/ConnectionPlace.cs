namespace WebhookEdge.Ingress;

/// <summary>
/// One connection's place under the <see cref="ConnectionLimit"/>, and when to wait for its end no longer: when the transport's connection is closed, and none
/// of its HTTP/2 requests is under way. An HTTP/1.1 connection is always waited for: its requests read from the transport's own memory.
/// </summary>
internal sealed class ConnectionPlace(ConnectionLimit limit, TimeProvider time) : IDisposable
{
    /// <summary>For the server to find out by itself.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _givenUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ITimer? _timer;
    private bool _isHttp2;
    private int _requests;
    private int _isBack;

    /// <summary>Completes when nothing will come of the connection any more.</summary>
    public Task GivenUp => _givenUp.Task;

    /// <summary>Given back once, by whoever comes first.</summary>
    public void GiveBack()
    {
        if (Interlocked.Exchange(ref _isBack, 1) == 0)
        {
            limit.Return();
        }
    }

    public void OnClosed()
    {
        GiveBack();
        _timer = time.CreateTimer(static place => ((ConnectionPlace)place!).Look(), this, Patience, Patience);
    }

    public void RequestBegins()
    {
        Volatile.Write(ref _isHttp2, true);
        Interlocked.Increment(ref _requests);
    }

    public void RequestEnds() => Interlocked.Decrement(ref _requests);

    public void Dispose() => _timer?.Dispose();

    private void Look()
    {
        if (Volatile.Read(ref _isHttp2) && Volatile.Read(ref _requests) == 0)
        {
            _givenUp.TrySetResult();
        }
    }
}
