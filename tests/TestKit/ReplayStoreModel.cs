using WebhookEdge.Primitives;
using WebhookEdge.Replay;

namespace WebhookEdge.TestKit;

/// <summary>
/// What every replay store must do, as ten lines of model, and a way to run any byte string as a sequence of commands against both. Used over
/// the memory store and over Redis, so that the two cannot drift apart.
/// </summary>
internal sealed class ReplayStoreModel
{
    /// <summary>Times are so long that the milliseconds a real server takes cannot matter.</summary>
    private static readonly TimeSpan s_lease = TimeSpan.FromSeconds(100);
    private static readonly TimeSpan s_ttl = TimeSpan.FromSeconds(350);

    private readonly Dictionary<int, (bool Done, ulong Owner, int Status, TimeSpan Until)> _keys = [];
    private TimeSpan _now;

    /// <summary>Runs <paramref name="commands"/> (one byte each: two bits key, one bit owner, the rest what) and throws at the first disagreement.</summary>
    /// <param name="keys">Four keys.</param>
    /// <param name="advance">Lets the store's time pass.</param>
    public static async Task RunAsync(IReplayStore store, EventKey[] keys, byte[] commands, Func<TimeSpan, Task> advance)
    {
        var model = new ReplayStoreModel();
        for (var step = 0; step < commands.Length; step++)
        {
            var (key, owner, what) = (commands[step] & 3, (ulong)(1 + (commands[step] >> 2 & 1)), commands[step] >> 3);
            object expected, actual;
            switch (what % 8)
            {
                case 0 or 1 or 2:
                    (expected, actual) = (model.Claim(key, owner), await store.ClaimAsync(keys[key], owner, s_lease));
                    break;
                case 3:
                    model.Commit(key, 200 + (int)owner);
                    await store.CommitAsync(keys[key], 200 + (int)owner, s_ttl);
                    continue;
                case 4 or 5:
                    (expected, actual) = (model.Release(key, owner), await store.ReleaseAsync(keys[key], owner));
                    break;
                case 6:
                    (expected, actual) = (model.Forget(key), await store.ForgetAsync(keys[key]));
                    break;
                default:
                    var by = TimeSpan.FromSeconds(30 + 40 * (what / 8));
                    model._now += by;
                    await advance(by);
                    continue;
            }

            if (!expected.Equals(actual))
            {
                throw new InvalidOperationException($"step {step} (0x{commands[step]:x2}): the model says {expected}, the store {actual}; commands "
                    + $"{Convert.ToHexString(commands)}");
            }
        }
    }

    private ClaimAnswer Claim(int key, ulong owner)
    {
        if (Live(key) is { } held)
        {
            return held.Done ? new(ClaimState.Done, Status: held.Status) : new(ClaimState.InFlight, Owner: held.Owner);
        }

        _keys[key] = (false, owner, 0, _now + s_lease);
        return new(ClaimState.Claimed);
    }

    private void Commit(int key, int status) => _keys[key] = (true, 0, status, _now + s_ttl);

    private bool Release(int key, ulong owner) => Live(key) is { Done: false } held && held.Owner == owner && _keys.Remove(key);

    private bool Forget(int key) => Live(key) is not null && _keys.Remove(key);

    private (bool Done, ulong Owner, int Status, TimeSpan Until)? Live(int key) => _keys.TryGetValue(key, out var held) && held.Until > _now ? held : null;
}
