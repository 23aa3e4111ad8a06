using System.Security.Cryptography;
using WebhookEdge.Primitives;

namespace WebhookEdge.Gate;

/// <summary>Which row of <see cref="AddressShares"/> is an address's, and what tells it from the others of that row.</summary>
internal readonly record struct AddressAccount(int Row, uint Tag);

/// <summary>
/// What the requests of each address hold before they have proved anything, and which addresses have proved themselves within the hour. An IPv6
/// network of /64 counts as one address, for that is what one customer gets.
/// <para>
/// A table of fixed size without keys, locks or allocation. Addresses of one row share its numbers. The row follows from a secret drawn at the start,
/// so nobody can aim at another's, and since sixteen full shares are all there is, no more than sixteen of the rows can be full at a time: a sender meets
/// one of them by chance once in four thousand. Who has proved itself is told apart exactly (48 bits of the address's hash), the last one of a row alone.
/// </para>
/// </summary>
internal sealed class AddressShares
{
    /// <summary>24 bytes each: 1.5 MiB, of which the operating system gives those that are touched.</summary>
    public const int Rows = 65_536;

    /// <summary>How long an address counts as one that proved itself, in seconds.</summary>
    public const uint ProvedFor = 3600;

    /// <summary>A later proof within so many seconds is not written again: a busy sender's row stays in every processor's cache.</summary>
    private const uint Fresh = 60;

    private readonly Row[] _rows = new Row[Rows];
    private readonly ulong _seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    private readonly ulong _factor = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1;

    public AddressAccount AccountOf(in ClientAddress client)
    {
        // Folded twice with a secret factor: what comes out says nothing about how to hit a certain row.
        var value = client.IsIPv6 ? (ulong)(client.Value >> 64) : client.IsKnown ? (ulong)client.Value | (1UL << 63) : ulong.MaxValue;
        var hash = Fold(Fold(value ^ _seed, _factor), 0x9E37_79B9_7F4A_7C15);
        return new((int)(hash % Rows), (uint)(hash >> 32));
    }

    /// <param name="second">A clock of whole seconds that never goes back.</param>
    public bool HasProved(AddressAccount account, uint second)
    {
        var proved = Volatile.Read(ref _rows[account.Row].Proved);
        return (uint)(proved >> 32) == account.Tag && unchecked(second - (uint)proved) <= ProvedFor && proved != 0;
    }

    public void Prove(AddressAccount account, uint second)
    {
        ref var proved = ref _rows[account.Row].Proved;
        var before = Volatile.Read(ref proved);
        if ((uint)(before >> 32) != account.Tag || unchecked(second - (uint)before) >= Fresh || before == 0)
        {
            Volatile.Write(ref proved, ((ulong)account.Tag << 32) | second);
        }
    }

    /// <summary>Requests that the address holds with <paramref name="more"/>.</summary>
    public int AddRequests(AddressAccount account, int more) => Interlocked.Add(ref _rows[account.Row].Requests, more);

    /// <summary>Bytes that the address holds with <paramref name="more"/>.</summary>
    public long AddBytes(AddressAccount account, long more) => Interlocked.Add(ref _rows[account.Row].Bytes, more);

    /// <summary>What the address holds now.</summary>
    public (int Requests, long Bytes) Held(AddressAccount account) =>
        (Volatile.Read(ref _rows[account.Row].Requests), Volatile.Read(ref _rows[account.Row].Bytes));

    private static ulong Fold(ulong value, ulong factor)
    {
        var high = Math.BigMul(value, factor, out var low);
        return high ^ low;
    }

    private struct Row
    {
        public int Requests;
        public long Bytes;

        /// <summary>Tag of the address that proved itself last, and the second at which it did; 0 = none has.</summary>
        public ulong Proved;
    }
}
