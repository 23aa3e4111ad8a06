using System.Buffers;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using WebhookEdge.Primitives;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Primitives;

public sealed class JsonPointerTests
{
    // The example document of RFC 6901 §5.
    private const string Rfc = """{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}""";

    [Theory]
    [InlineData("/foo/0", "sbar")]
    [InlineData("/foo/1", "sbaz")]
    [InlineData("/", "n0")]
    [InlineData("/a~1b", "n1")]
    [InlineData("/c%d", "n2")]
    [InlineData("/e^f", "n3")]
    [InlineData("/g|h", "n4")]
    [InlineData("/i\\j", "n5")]
    [InlineData("/k\"l", "n6")]
    [InlineData("/ ", "n7")]
    [InlineData("/m~0n", "n8")]
    public void Finds_what_the_rfc_says(string at, string expected) => Assert.Equal(expected, Find(at, Rfc));

    [Theory]
    [InlineData("/foo")]
    [InlineData("/foo/2")]
    [InlineData("/foo/-")]
    [InlineData("/foo/00")]
    [InlineData("/foo/+1")]
    [InlineData("/foo/0/x")]
    [InlineData("/bar")]
    [InlineData("")]
    public void Finds_nothing_where_no_value_stands(string at) => Assert.Null(Find(at, Rfc));

    [Theory]
    [InlineData("foo")]
    [InlineData("#/foo")]
    [InlineData("/a~")]
    [InlineData("/a~2")]
    [InlineData(null)]
    public void Refuses_text_that_is_no_pointer(string? text) => Assert.False(JsonPointer.TryParse(text, out _));

    [Theory]
    [InlineData("""{"id":"1"}""", "s1")]
    [InlineData("""{"id":1}""", "n1")]
    [InlineData("""{"id":1.0}""", "n1.0")]
    [InlineData("""{"id":true}""", "t")]
    [InlineData("""{"id":false}""", "f")]
    [InlineData("""{"id":null}""", "z")]
    [InlineData("""{"id":""}""", "s")]
    [InlineData("""{"id":"\u00e4\n"}""", "sä\n")]
    [InlineData("""{"i\u0064":"x"}""", "sx")]
    public void Tells_values_of_different_kinds_apart(string json, string expected) => Assert.Equal(expected, Find("/id", json));

    [Theory]
    [InlineData("""{"id":1,"id":2}""")]
    [InlineData("""{"id":1,"i\u0064":2}""")]
    [InlineData("""{"id":1,"x":{},"id":1}""")]
    public void A_key_that_occurs_twice_is_no_answer(string json) => Assert.Null(Find("/id", json));

    [Fact]
    public void A_key_that_occurs_twice_above_is_no_answer() => Assert.Null(Find("/a/id", """{"a":{"id":1},"a":{}}"""));

    [Fact]
    public void A_key_that_occurs_twice_elsewhere_does_not_matter() => Assert.Equal("n1", Find("/id", """{"x":{"id":3,"id":4},"y":1,"y":2,"id":1}"""));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("{")]
    [InlineData("""{"id":1""")]
    [InlineData("""{"id":1}}""")]
    [InlineData("""{"id":1} {"id":1}""")]
    [InlineData("""{"id":1,}""")]
    [InlineData("""{"id":01}""")]
    [InlineData("""{"id":1/*c*/}""")]
    [InlineData("""{'id':1}""")]
    [InlineData("""{"id":"\ud800"}""")]
    [InlineData("\uFEFF{\"id\":1}")]
    [InlineData("""{"id":1,"x":nul}""")]
    public void Malformed_json_holds_nothing(string json) => Assert.Null(Find("/id", json));

    [Fact]
    public void Invalid_utf8_holds_nothing()
    {
        byte[] json = [.. "{\"id\":\""u8, 0xFF, .. "\"}"u8];

        Assert.Null(Find("/id", new ReadOnlySequence<byte>(json)));
    }

    [Fact]
    public void Nesting_beyond_the_bound_holds_nothing()
    {
        static string Nest(int depth) => string.Concat(Enumerable.Repeat("{\"x\":", depth)) + "1" + new string('}', depth);

        Assert.Equal("n1", Find("/id", $$"""{"y":{{Nest(JsonPointer.MaxDepth - 1)}},"id":1}"""));
        Assert.Null(Find("/id", $$"""{"y":{{Nest(JsonPointer.MaxDepth)}},"id":1}"""));
    }

    [Fact]
    public void A_value_longer_than_the_destination_holds_nothing()
    {
        Assert.True(JsonPointer.TryParse("/id", out var pointer));

        Assert.Equal(JsonScalar.None, pointer.Find(new("""{"id":"12345"}"""u8.ToArray()), new byte[4], out _));
        Assert.Equal(JsonScalar.String, pointer.Find(new("""{"id":"1234"}"""u8.ToArray()), new byte[4], out var written));
        Assert.Equal(4, written);
    }

    [Fact]
    public void Finding_allocates_nothing_however_the_body_is_cut()
    {
        Assert.True(JsonPointer.TryParse("/data/0/id", out var pointer));
        var bytes = Encoding.UTF8.GetBytes("""{"pad":"äöü\u00e4 some text that is here for its length","data":[{"x":[1,2,3],"id":"e\u0076t_123"}],"z":null}""");
        var whole = new ReadOnlySequence<byte>(bytes);
        var cut = Segments.Cut(bytes, Enumerable.Range(1, bytes.Length - 1));
        var destination = new byte[64];
        for (var i = 0; i < 100; i++)
        {
            pointer.TryFind(whole, destination, out _);
            pointer.TryFind(cut, destination, out _);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        var found = true;
        for (var i = 0; i < 100; i++)
        {
            found &= pointer.TryFind(whole, destination, out _);
            found &= pointer.TryFind(cut, destination, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(found);
    }

    [Fact]
    public void Agrees_with_a_document_on_any_json_however_it_is_cut()
    {
        var keys = Gen.Elements("a", "b", "~", "/", "ä", "0", "1", "");
        var json = Gen.Sized(size => Json(keys, Math.Min(size, 4)));
        var pointers = Gen.ListOf(keys).Select(names => names.Take(3).ToArray());
        var cuts = Gen.ListOf(Gen.Choose(0, 60)).Select(list => list.ToArray());

        Prop.ForAll(Arb.From(json), Arb.From(pointers), Arb.From(cuts), (text, names, cut) =>
        {
            var pointer = string.Concat(names.Select(name => "/"
                + name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)));
            var bytes = Encoding.UTF8.GetBytes(text);

            Assert.Equal(Oracle(text, names), Find(pointer, Segments.Cut(bytes, cut)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void Never_throws_on_any_bytes()
    {
        Assert.True(JsonPointer.TryParse("/a/0", out var pointer));
        var pieces = Gen.Elements("{", "}", "[", "]", "\"a\"", ":", ",", "1", "\"", "\\", "\\ud8", "\u0000", "ÿ", "0", "-", "e", "true", "nul", " ");
        Prop.ForAll(Arb.From(Gen.ListOf(pieces).Select(string.Concat)), text =>
        {
            pointer.Find(new(Encoding.Latin1.GetBytes(text)), new byte[16], out var written);

            Assert.InRange(written, 0, 16);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    private static Gen<string> Json(Gen<string> keys, int depth)
    {
        var scalar = Gen.Elements("1", "-2.50", "1e3", "true", "false", "null", "\"x\"", "\"\"", "\"\\u00e4\\\"ö\"", "\"a longer text than the others\"");
        if (depth <= 0)
        {
            return scalar;
        }

        var array = Gen.ListOf(Json(keys, depth - 1)).Select(items => "[" + string.Join(", ", items.Take(3)) + "]");
        var member = from key in keys from value in Json(keys, depth - 1) select JsonSerializer.Serialize(key) + " :" + value;
        var item = Gen.ListOf(member).Select(members => "{" + string.Join(',', members.Take(4)) + "}");
        return Gen.Frequency((1, scalar), (2, array), (4, item));
    }

    private static string? Oracle(string json, string[] names)
    {
        using var document = JsonDocument.Parse(json);
        var at = document.RootElement;
        foreach (var name in names)
        {
            if (at.ValueKind == JsonValueKind.Object)
            {
                var members = at.EnumerateObject().Where(member => member.Name == name).ToList();
                if (members.Count != 1)
                {
                    return null;
                }

                at = members[0].Value;
            }
            else if (at.ValueKind == JsonValueKind.Array && name is "0" or "1" && at.GetArrayLength() > name[0] - '0')
            {
                at = at[name[0] - '0'];
            }
            else
            {
                return null;
            }
        }

        return at.ValueKind switch
        {
            JsonValueKind.String => "s" + at.GetString(),
            JsonValueKind.Number => "n" + at.GetRawText(),
            JsonValueKind.True => "t",
            JsonValueKind.False => "f",
            JsonValueKind.Null => "z",
            _ => null,
        };
    }

    private static string? Find(string pointer, string json) => Find(pointer, new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(json)));

    private static string? Find(string pointer, ReadOnlySequence<byte> json)
    {
        Assert.True(JsonPointer.TryParse(pointer, out var compiled));
        var destination = new byte[256];
        return compiled.TryFind(json, destination, out var written) ? Encoding.UTF8.GetString(destination, 0, written) : null;
    }
}
