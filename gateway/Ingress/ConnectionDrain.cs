using WebhookEdge.Gate;

namespace WebhookEdge.Ingress;

/// <summary>
/// When the gateway stops and no request has been under way for a while, ends the connections that are still open. The server waits for each until its answers
/// are read, thirty seconds at most, and a stranger who reads none would have every restart take that long.
/// </summary>
internal sealed class ConnectionDrain : IDisposable
{
    /// <summary>For the last answers to be read.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);

    private readonly ConnectionLimit _connections;
    private readonly Capacity _capacity;
    private readonly TimeProvider _time;
    private readonly CancellationTokenRegistration _stopping;
    private ITimer? _timer;
    private long _idleSince;

    public ConnectionDrain(ConnectionLimit connections, Capacity capacity, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        (_connections, _capacity, _time) = (connections, capacity, time);
        _stopping = lifetime.ApplicationStopping.UnsafeRegister(static drain => ((ConnectionDrain)drain!).Begin(), this);
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _timer?.Dispose();
    }

    private void Begin()
    {
        _idleSince = _time.GetTimestamp();
        _timer = _time.CreateTimer(static drain => ((ConnectionDrain)drain!).Look(), this, s_look, s_look);
    }

    private void Look()
    {
        if (_capacity.Requests > 0)
        {
            _idleSince = _time.GetTimestamp();
        }
        else if (_time.GetElapsedTime(_idleSince) >= Patience)
        {
            _connections.EndAll();
        }
    }
}
