using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace WebhookEdge.Admin;

/// <summary>
/// The page's sessions. A session is a time, a number drawn by chance and a proof of both made with the admin token: changing the token ends every
/// session, and every instance with the same token knows them. An instance takes none that was begun before it started, nor one that was ended here.
/// </summary>
/// <param name="key">Made of the admin token.</param>
internal sealed class AdminSessions(byte[] key, TimeProvider time)
{
    public static readonly TimeSpan Length = TimeSpan.FromHours(12);

    /// <summary>Ended sessions remembered one by one. Only who knew the token can have begun one; with more, all are ended.</summary>
    public const int MostEnded = 1024;

    private const int LongestCookie = 160;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _ended = new(StringComparer.Ordinal);
    private long _noneBefore = time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A cookie's value for a new session.</summary>
    public string Begin()
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var begun = Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), Volatile.Read(ref _noneBefore)).ToString(CultureInfo.InvariantCulture);
        return $"{begun}.{id}.{Proof(begun, id)}";
    }

    public bool IsValid(string cookie) => Read(cookie) is { } session && !IsEnded(session.Id, session.Begun);

    /// <summary>Ends the session, if it is one.</summary>
    public void End(string cookie)
    {
        if (Read(cookie) is not { } session)
        {
            return;
        }

        lock (_lock)
        {
            if (_ended.Count >= MostEnded)
            {
                var oldest = time.GetUtcNow().ToUnixTimeMilliseconds() - (long)Length.TotalMilliseconds;
                foreach (var (id, begun) in _ended)
                {
                    if (begun < oldest)
                    {
                        _ended.Remove(id);
                    }
                }
            }

            if (_ended.Count >= MostEnded)
            {
                EndAll();
            }
            else
            {
                _ended[session.Id] = session.Begun;
            }
        }
    }

    /// <summary>Ends every session begun so far, on this instance.</summary>
    public void EndAll()
    {
        lock (_lock)
        {
            Volatile.Write(ref _noneBefore, Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), _noneBefore) + 1);
            _ended.Clear();
        }
    }

    private bool IsEnded(string id, long begun)
    {
        lock (_lock)
        {
            return begun < _noneBefore || _ended.ContainsKey(id);
        }
    }

    /// <summary>Null unless the proof holds and the time is not over.</summary>
    private (string Id, long Begun)? Read(string cookie)
    {
        if (cookie.Length > LongestCookie
            || cookie.Split('.') is not [var begun, var id, var proof]
            || !long.TryParse(begun, NumberStyles.None, CultureInfo.InvariantCulture, out var at)
            || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(proof), Encoding.UTF8.GetBytes(Proof(begun, id))))
        {
            return null;
        }

        // Not one begun in the future either: another instance's clock may be a little ahead, no more.
        var age = time.GetUtcNow().ToUnixTimeMilliseconds() - at;
        return age < Length.TotalMilliseconds && age > -60_000 ? (id, at) : null;
    }

    private string Proof(string begun, string id) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"webhookedge admin session {begun} {id}")));
}
