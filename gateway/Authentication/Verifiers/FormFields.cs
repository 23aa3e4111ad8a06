using System.Buffers;
using Microsoft.Net.Http.Headers;
using WebhookEdge.Gate;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// An <c>application/x-www-form-urlencoded</c> text as decoded bytes, never as characters: what is not UTF-8 stays what it is. One spelling only: a broken
/// escape, a raw character no form encoder leaves, or more than <see cref="MaxFields"/> fields, and there is no form.
/// </summary>
internal sealed class FormFields
{
    public const int MaxFields = 1000;

    // What encoders leave as it is: RFC 3986 unreserved and sub-delimiters without those that separate, and what some senders forget to escape.
    private static readonly SearchValues<byte> Raw = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$'()*,;:@/?"u8);

    private readonly byte[] _text;
    private readonly Field[] _fields;

    private FormFields(byte[] text, Field[] fields)
    {
        _text = text;
        _fields = fields;
    }

    public int Count => _fields.Length;

    public ReadOnlySpan<byte> Key(int field) => _text.AsSpan(_fields[field].Key, _fields[field].KeyLength);

    public ReadOnlySpan<byte> Value(int field) => _text.AsSpan(_fields[field].Value, _fields[field].ValueLength);

    /// <summary>The media type, whatever its parameters; exactly one line of it.</summary>
    public static bool IsForm(Delivery delivery)
    {
        const string Form = "application/x-www-form-urlencoded";
        var lines = delivery.Headers[HeaderNames.ContentType];
        if (lines.Count != 1 || lines[0] is not { } type || !type.StartsWith(Form, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        return type.Length == Form.Length || type[Form.Length] is ';' or ' ' or '\t';
    }

    /// <summary>Null when <paramref name="form"/> is not a form. An empty text is a form without fields.</summary>
    public static FormFields? Parse(in ReadOnlySequence<byte> form)
    {
        if (form.IsEmpty)
        {
            return new([], []);
        }

        // Decoding never makes a text longer, so it is done in place in a copy of the body.
        var text = form.ToArray();
        var fields = new List<Field>();
        var read = 0;
        var written = 0;
        while (read <= text.Length)
        {
            var end = text.AsSpan(read).IndexOf((byte)'&');
            end = end < 0 ? text.Length : read + end;
            var equals = text.AsSpan(read, end - read).IndexOf((byte)'=');
            var keyEnd = equals < 0 ? end : read + equals;
            if (keyEnd == read || fields.Count == MaxFields)
            {
                return null;
            }

            var key = written;
            if (!Decode(text, read, keyEnd, ref written))
            {
                return null;
            }

            var value = written;
            if (equals >= 0 && !Decode(text, keyEnd + 1, end, ref written))
            {
                return null;
            }

            fields.Add(new(key, value - key, value, written - value));
            read = end + 1;
        }

        return new(text, [.. fields]);
    }

    /// <summary>By key and, where <paramref name="byValue"/>, by value; byte by byte. Fields with equal keys keep their order otherwise.</summary>
    public void Sort(bool byValue)
    {
        var order = new int[_fields.Length];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(order, (a, b) =>
        {
            var compared = Key(a).SequenceCompareTo(Key(b));
            if (compared == 0 && byValue)
            {
                compared = Value(a).SequenceCompareTo(Value(b));
            }

            return compared != 0 ? compared : a.CompareTo(b);
        });
        var sorted = Array.ConvertAll(order, i => _fields[i]);
        sorted.CopyTo(_fields, 0);
    }

    /// <summary>The index of the only field of that name; -1 when there is none, -2 when there are several.</summary>
    public int Single(ReadOnlySpan<byte> name)
    {
        var found = -1;
        for (var i = 0; i < Count; i++)
        {
            if (Key(i).SequenceEqual(name))
            {
                found = found == -1 ? i : -2;
            }
        }

        return found;
    }

    private static bool Decode(byte[] text, int from, int to, ref int written)
    {
        for (var at = from; at < to; at++)
        {
            var c = text[at];
            if (c == '+')
            {
                text[written++] = (byte)' ';
            }
            else if (c == '%')
            {
                if (at + 2 >= to)
                {
                    return false;
                }

                var high = Hex(text[at + 1]);
                var low = Hex(text[at + 2]);
                if (high < 0 || low < 0)
                {
                    return false;
                }

                text[written++] = (byte)((high << 4) | low);
                at += 2;
            }
            else if (Raw.Contains(c))
            {
                text[written++] = c;
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    private static int Hex(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        _ => -1,
    };

    private readonly record struct Field(int Key, int KeyLength, int Value, int ValueLength);
}
