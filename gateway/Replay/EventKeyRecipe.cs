using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>One ingredient of a replay key.</summary>
internal interface IKeyPart
{
    /// <summary>Stands in front of the part's bytes, so that an id and a header of the same text give different keys.</summary>
    byte Tag { get; }

    /// <summary>
    /// Adds the part to <paramref name="hash"/> as a 32-bit big-endian length and that many bytes, or adds nothing and answers false when
    /// the delivery does not hold it. Must not allocate.
    /// </summary>
    bool TryAppend(Delivery delivery, IncrementalHash hash);
}

/// <summary>
/// How a route's replay key is made, compiled once per revision.
/// <code>
/// ["body"]  SHA-256( u32be(len) ‖ route id ‖ raw body )
/// other     SHA-256( u32be(len) ‖ route id ‖ { tag ‖ u32be(len) ‖ part }… )      numbers big-endian, text UTF-8
/// </code>
/// The route id keeps two routes apart that share a provider and a secret; the lengths keep ("ab","c") and ("a","bc") apart.
/// </summary>
internal sealed class EventKeyRecipe
{
    // Every part's tag has this bit clear; set, it says "not there, the body stands in".
    private const byte StandIn = 0x80;

    [ThreadStatic]
    private static IncrementalHash? t_hash;

    private readonly byte[] _prefix;
    private readonly ImmutableArray<IKeyPart> _parts;

    /// <param name="parts">Empty stands for the plain body.</param>
    internal EventKeyRecipe(string routeId, ImmutableArray<IKeyPart> parts)
    {
        var id = Encoding.UTF8.GetBytes(routeId);
        _prefix = new byte[4 + id.Length];
        BinaryPrimitives.WriteInt32BigEndian(_prefix, id.Length);
        id.CopyTo(_prefix, 4);
        _parts = parts;
    }

    /// <summary>
    /// Reads the parts <c>body</c>, <c>id</c>, <c>json:/pointer</c> and <c>header:NAME</c> as a route's <c>replay.key</c> lists them; null or
    /// <c>["body"]</c> is the default key. Adds what is wrong to <paramref name="problems"/>; the recipe returned is meaningful only when nothing
    /// was added. That a header is not signed is for the validator to say.
    /// </summary>
    /// <param name="path">Where the list stands in routes.json, e.g. <c>routes.idwise.replay.key</c>.</param>
    public static EventKeyRecipe Compile(string routeId, IReadOnlyList<string>? parts, string path, ICollection<ConfigProblem> problems)
    {
        if (parts is null || parts is ["body"])
        {
            return new(routeId, []);
        }

        if (parts.Count == 0)
        {
            problems.Add(new(path, "a key without parts would make every delivery the same event", "leave it out for the default, or write [\"body\"]"));
        }

        var compiled = ImmutableArray.CreateBuilder<IKeyPart>(parts.Count);
        for (var i = 0; i < parts.Count; i++)
        {
            if (CompilePart(parts[i], $"{path}[{i}]", problems) is { } part)
            {
                compiled.Add(part);
            }
        }

        return new(routeId, compiled.ToImmutable());
    }

    /// <summary>The key of a delivery whose body is complete. Allocates nothing once its thread has computed one.</summary>
    public EventKey KeyOf(Delivery delivery)
    {
        var hash = t_hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        try
        {
            hash.AppendData(_prefix);
            if (_parts.IsEmpty)
            {
                AppendSegments(hash, delivery.Body);
            }

            foreach (var part in _parts)
            {
                Append(part, delivery, hash);
            }

            Span<byte> digest = stackalloc byte[EventKey.Size];
            hash.GetHashAndReset(digest);
            return new(digest);
        }
        catch
        {
            // Half a key must not leak into the next delivery of this thread.
            t_hash = null;
            hash.Dispose();
            throw;
        }
    }

    private static void Append(IKeyPart part, Delivery delivery, IncrementalHash hash)
    {
        hash.AppendData([part.Tag]);
        if (!part.TryAppend(delivery, hash))
        {
            // A part that is not there is replaced by the whole body, never skipped: with a skipped part all deliveries without an id would
            // be one event and all but the first would be lost (open-mercato#1394). After a failed part its tag is already in the hash,
            // so the stand-in's own tag follows it; no part's length can begin with it, lengths being below 2^31.
            hash.AppendData([(byte)(part.Tag | StandIn)]);
            AppendBody(hash, delivery.Body);
        }
    }

    private static IKeyPart? CompilePart(string text, string path, ICollection<ConfigProblem> problems)
    {
        switch (text)
        {
            case "body":
                return new BodyPart();
            case "id":
                return new SignedIdPart();
            case ['h', 'e', 'a', 'd', 'e', 'r', ':', .. var name] when IsToken(name):
                return new HeaderPart(name);
            case ['j', 's', 'o', 'n', ':', .. var pointer] when JsonPointerPart.TryParse(pointer, out var part):
                return part;
            default:
                problems.Add(new(path, $"unknown key part '{text}'", "write body, id, json:/pointer or header:NAME"));
                return null;
        }
    }

    private static bool IsToken(string name)
    {
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal))
            {
                return false;
            }
        }

        return name.Length > 0;
    }

    private static void AppendBody(IncrementalHash hash, in ReadOnlySequence<byte> body)
    {
        AppendLength(hash, checked((int)body.Length));
        AppendSegments(hash, body);
    }

    private static void AppendSegments(IncrementalHash hash, in ReadOnlySequence<byte> body)
    {
        if (body.IsSingleSegment)
        {
            hash.AppendData(body.FirstSpan);
            return;
        }

        foreach (var segment in body)
        {
            hash.AppendData(segment.Span);
        }
    }

    private static void AppendLength(IncrementalHash hash, int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, length);
        hash.AppendData(bytes);
    }

    private static void AppendText(IncrementalHash hash, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        byte[]? rented = null;
        var buffer = length <= 512 ? stackalloc byte[512] : (rented = ArrayPool<byte>.Shared.Rent(length));
        var written = Encoding.UTF8.GetBytes(text, buffer);
        AppendLength(hash, written);
        hash.AppendData(buffer[..written]);
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private sealed class BodyPart : IKeyPart
    {
        public byte Tag => 1;

        public bool TryAppend(Delivery delivery, IncrementalHash hash)
        {
            AppendBody(hash, delivery.Body);
            return true;
        }
    }

    /// <summary>The id the signature covers. Signatures sets it from signed material only, so it cannot be chosen by whoever replays.</summary>
    private sealed class SignedIdPart : IKeyPart
    {
        public byte Tag => 2;

        public bool TryAppend(Delivery delivery, IncrementalHash hash)
        {
            if (delivery.Proof?.SignedId is not { Length: > 0 } id)
            {
                return false;
            }

            AppendText(hash, id);
            return true;
        }
    }

    private sealed class HeaderPart(string name) : IKeyPart
    {
        public byte Tag => 3;

        public bool TryAppend(Delivery delivery, IncrementalHash hash)
        {
            // Two lines of it are no id: which one would the upstream read?
            if (!delivery.Headers.TryGetValue(name, out var values) || values.Count != 1 || values[0] is not { Length: > 0 } value)
            {
                return false;
            }

            AppendText(hash, value);
            return true;
        }
    }

    /// <summary>
    /// A string, number or boolean in the body, by JSON pointer (RFC 6901). An object, an array, null, a name that occurs twice or an overlong value
    /// counts as missing.
    /// </summary>
    private sealed class JsonPointerPart(JsonPointer pointer) : IKeyPart
    {
        private const int LongestValue = 1024;

        public byte Tag => 4;

        public static bool TryParse(string text, out IKeyPart? part)
        {
            part = text.Length > 0 && JsonPointer.TryParse(text, out var pointer) ? new JsonPointerPart(pointer) : null;
            return part is not null;
        }

        public bool TryAppend(Delivery delivery, IncrementalHash hash)
        {
            Span<byte> value = stackalloc byte[1 + LongestValue];
            var kind = pointer.Find(delivery.Body, value[1..], out var written);
            if (kind is JsonScalar.None or JsonScalar.Null || (kind == JsonScalar.String && written == 0))
            {
                return false;
            }

            // The text "1" and the number 1 are different ids.
            value[0] = (byte)kind;
            AppendLength(hash, written + 1);
            hash.AppendData(value[..(written + 1)]);
            return true;
        }
    }
}
