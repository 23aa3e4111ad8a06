using System.Text;
using WebhookEdge.AllowLists;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.AllowLists;

public sealed class JsonAddressDocumentTests
{
    private const string Document = """
        {
          "hooks": ["192.30.252.0/22", "2a0a:a440::/29", "203.0.113.7"],
          "items": [{ "cidr": "198.51.100.0/24" }, { "cidr": "2001:db8::/32" }, { "other": 1 }],
          "nested": [{ "nets": ["192.0.2.0/25"] }, { "nets": ["192.0.2.128/25"] }],
          "one": "192.0.2.7",
          "a/b": { "c~d": ["192.0.2.8"] },
          "empty": [],
          "none": null,
          "hollow": [{ "nets": [] }, { "other": 1 }],
          "slip": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.77/24"],
          "slips": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8", "", " 192.0.2.9"],
          "poisoned": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.10", "::/0"],
          "mixed": ["192.0.2.7", 7],
          "octal": ["192.0.2.7", "0300.0.2.7"],
          "open": ["0.0.0.0/0"]
        }
        """;

    [Theory]
    [InlineData("{\"hooks\":[\"203.0.113.0\\ud800/24\"]}")]
    [InlineData("{\"hooks\":[\"203.0.113.0\u00ff/24\"]}")]
    public void A_text_that_is_no_unicode_is_a_fault_and_no_exception(string json)
    {
        Assert.True(JsonListPointer.TryParse("/hooks", out var pointer, out _));
        Assert.True(JsonAddressDocument.TryParse(Encoding.Latin1.GetBytes(json), out var document, out _));

        Assert.False(document!.TrySelect(new AddressQuery([], [], pointer), out _, out var fault));
        Assert.Contains("no valid Unicode", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/hooks", "192.30.252.0/22 2a0a:a440::/29 203.0.113.7/32")]
    [InlineData("/hooks/1", "2a0a:a440::/29")]
    [InlineData("/items/*/cidr", "198.51.100.0/24 2001:db8::/32")]
    [InlineData("/nested/*/nets", "192.0.2.0/25 192.0.2.128/25")]
    [InlineData("/nested/*/nets/*", "192.0.2.0/25 192.0.2.128/25")]
    [InlineData("/one", "192.0.2.7/32")]
    [InlineData("/a~1b/c~0d", "192.0.2.8/32")]
    public void Follows_the_pointer(string path, string networks)
    {
        var (found, said) = Select(path);

        Assert.Equal(networks, found);
        Assert.Equal("", said);
    }

    [Theory]
    [InlineData("/nothing", "nothing at '/nothing'")]
    [InlineData("/hooks/03", "nothing at")]
    [InlineData("/hooks/9", "nothing at")]
    [InlineData("/hooks/-", "nothing at")]
    [InlineData("/one/*", "nothing at")]
    [InlineData("/items/*/none", "nothing at")]
    [InlineData("/none", "no text")]
    [InlineData("/slips", "2 of 10 entries are no sound networks, more than a tenth")]
    [InlineData("/poisoned", "wider than /20")]
    [InlineData("/items/*/cidr/*", "nothing at")]
    [InlineData("/items", "no text")]
    [InlineData("", "no text")]
    [InlineData("/mixed", "no text")]
    [InlineData("/octal", "leading zeros")]
    [InlineData("/open", "wider than /8")]
    public void Refuses_what_is_no_list_of_networks(string path, string fault)
    {
        var (found, said) = Select(path);

        Assert.Null(found);
        Assert.Contains(fault, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/empty")]
    [InlineData("/empty/*")]
    [InlineData("/hollow/*/nets")]
    [InlineData("/hollow/*/nets/*")]
    public void A_list_that_is_there_and_empty_is_sound_and_told(string path)
    {
        var (found, said) = Select(path);

        Assert.Equal("", found);
        Assert.Equal($"'{path}' is an empty list: it lets nobody in", said);
    }

    [Fact]
    public void One_bad_entry_of_ten_is_left_out_and_counted()
    {
        var cut = Cut("/slip", out var fault);

        Assert.Equal((9, 1, ""), (cut!.Networks.Count, cut.LeftOut, fault));
        Assert.Contains("1 of 10 entries are no sound networks and were left out; the first: '/slip': '192.0.2.77/24' has bits set", cut.Note,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hooks")]
    [InlineData("/a~2b")]
    [InlineData("/a~")]
    public void Refuses_what_is_no_pointer(string path) => Assert.False(JsonListPointer.TryParse(path, out _, out _));

    private static (string? Networks, string Fault) Select(string path)
    {
        var cut = Cut(path, out var fault);
        return cut is null ? (null, fault) : (string.Join(' ', cut.Networks), cut.Note);
    }

    private static RangeCut? Cut(string path, out string fault)
    {
        Assert.True(JsonListPointer.TryParse(path, out var parsed, out fault), fault);
        Assert.True(JsonAddressDocument.TryParse(Encoding.UTF8.GetBytes(Document), out var document, out fault), fault);
        return document!.TrySelect(new AddressQuery([], [], parsed), out var cut, out fault) ? cut : null;
    }
}
