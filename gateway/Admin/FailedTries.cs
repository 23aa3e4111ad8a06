using WebhookEdge.Gate;

namespace WebhookEdge.Admin;

/// <summary>Slows down who guesses the token: ten wrong ones a minute from an address (of IPv6, from its /64), then no more are looked at until the minute is over.</summary>
internal sealed class FailedTries(TimeProvider time)
{
    public const int Allowed = 10;

    /// <summary>Addresses told apart in one minute; the others share a budget.</summary>
    private const int MostAddresses = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, int> _failed = [];
    private long _minute;

    public bool MayTry(ClientAddress from)
    {
        lock (_lock)
        {
            return _failed.GetValueOrDefault(Key(from)) < Allowed;
        }
    }

    public void Failed(ClientAddress from)
    {
        lock (_lock)
        {
            var key = Key(from);
            _failed[key] = _failed.GetValueOrDefault(key) + 1;
        }
    }

    /// <summary>Under the lock.</summary>
    private UInt128 Key(ClientAddress from)
    {
        var minute = time.GetTimestamp() / time.TimestampFrequency / 60;
        if (minute != _minute)
        {
            _minute = minute;
            _failed.Clear();
        }

        var key = from.IsIPv6 ? from.Value >> 64 << 64 : from.Value;
        return _failed.Count < MostAddresses || _failed.ContainsKey(key) ? key : UInt128.MaxValue;
    }
}
