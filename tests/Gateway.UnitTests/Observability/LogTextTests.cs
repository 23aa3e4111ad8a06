using WebhookEdge.Observability;

namespace WebhookEdge.UnitTests.Observability;

public sealed class LogTextTests
{
    [Theory]
    [InlineData("/hooks/verisync", "/hooks/verisync")]
    [InlineData("", "")]
    [InlineData("/a\r\nb", "/a\\u000d\\u000ab")]
    [InlineData("\u001b[31mred", "\\u001b[31mred")]
    [InlineData("/\\u000a", "/\\u005cu000a")]
    [InlineData("/\u007f\u0085\u009b\u00e9\u202e\u2028", "/\\u007f\\u0085\\u009b\\u00e9\\u202e\\u2028")]
    public void A_strangers_text_is_visible_ASCII_and_no_two_texts_look_alike(string text, string printed) => Assert.Equal(printed, LogText.Printable(text));

    [Fact]
    public void What_needs_no_escape_is_the_same_object()
    {
        var text = new string('a', 200);

        Assert.Same(text, LogText.Printable(text));
        Assert.Same(text, LogText.OneLine(text));
    }

    [Theory]
    [InlineData("Größe: 5 ‰", "Größe: 5 ‰")]
    [InlineData("one\ntwo\u001b[2K\u202e\u2029", "one\\u000atwo\\u001b[2K\\u202e\\u2029")]
    public void A_line_of_others_stays_one_line_and_keeps_its_letters(string line, string printed) => Assert.Equal(printed, LogText.OneLine(line));
}
