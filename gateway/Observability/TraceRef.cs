using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;

namespace WebhookEdge.Observability;

/// <summary>Which span delivered an event first: 24 bytes that a replay store keeps beside the key. <c>default</c> = it was not traced.</summary>
internal readonly record struct TraceRef(UInt128 Trace, ulong Span)
{
    /// <summary>Length of <see cref="ToString"/>: 32 and 16 hex digits with a hyphen between them.</summary>
    private const int TextLength = 32 + 1 + 16;

    public bool IsKnown => Trace != 0 && Span != 0;

    public static TraceRef Of(Activity activity)
    {
        Span<byte> bytes = stackalloc byte[24];
        activity.TraceId.CopyTo(bytes[..16]);
        activity.SpanId.CopyTo(bytes[16..]);
        return new(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]));
    }

    public static bool TryParse(ReadOnlySpan<char> text, out TraceRef trace)
    {
        trace = default;
        if (text.Length != TextLength || text[32] != '-'
            || !UInt128.TryParse(text[..32], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var id)
            || !ulong.TryParse(text[33..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var span))
        {
            return false;
        }

        trace = new(id, span);
        return trace.IsKnown;
    }

    public ActivityContext ToContext()
    {
        Span<byte> bytes = stackalloc byte[24];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Trace);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], Span);
        return new(ActivityTraceId.CreateFromBytes(bytes[..16]), ActivitySpanId.CreateFromBytes(bytes[16..]), ActivityTraceFlags.None, isRemote: true);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Trace:x32}-{Span:x16}");
}
