using System.Security.Cryptography;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>
/// One active secret, ready to compute with: its key and a small pool of keyed hashes. Setting a key up costs as much as hashing a few hundred bytes,
/// and a hash object cannot be shared, so each computation borrows one and brings it back reset.
/// </summary>
internal sealed class SigningKey
{
    private readonly IncrementalHash?[] _idle = new IncrementalHash?[Math.Max(4, Environment.ProcessorCount)];
    private readonly HashAlgorithmName _algorithm;
    private readonly bool _keyed;
    private readonly byte[] _bytes;

    public SigningKey(string id, byte[] bytes, HashAlgorithmName algorithm, bool keyed)
    {
        Id = id;
        _bytes = bytes;
        _algorithm = algorithm;
        _keyed = keyed;
    }

    /// <summary>The reference of the secret, see <see cref="Secret.Id"/>.</summary>
    public string Id { get; }

    /// <summary>What <c>{secret}</c> stands for in a signed text.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    public IncrementalHash Borrow()
    {
        var start = Thread.GetCurrentProcessorId();
        for (var i = 0; i < _idle.Length; i++)
        {
            ref var slot = ref _idle[(uint)(start + i) % (uint)_idle.Length];
            if (slot is not null && Interlocked.Exchange(ref slot, null) is { } hash)
            {
                return hash;
            }
        }

        return _keyed ? IncrementalHash.CreateHMAC(_algorithm, _bytes) : IncrementalHash.CreateHash(_algorithm);
    }

    /// <summary>Only for a hash that was read and reset. One that was abandoned half-way must not come back: it would spoil the next request's.</summary>
    public void Return(IncrementalHash hash)
    {
        var start = Thread.GetCurrentProcessorId();
        for (var i = 0; i < _idle.Length; i++)
        {
            ref var slot = ref _idle[(uint)(start + i) % (uint)_idle.Length];
            if (slot is null && Interlocked.CompareExchange(ref slot, hash, null) is null)
            {
                return;
            }
        }

        hash.Dispose();
    }
}
