using System.Globalization;
using System.Text;
using WebhookEdge.Ingress;

namespace WebhookEdge.UnitTests.Ingress;

public sealed class DigitsAloneTests
{
    [Theory]
    [InlineData("0", true)]
    [InlineData("164", true)]
    [InlineData("000164", true)]
    [InlineData("9223372036854775807", true)]
    [InlineData("+164", false)]
    [InlineData("-0", false)]
    [InlineData("-1", false)]
    [InlineData(" 1", false)]
    [InlineData("1\t", false)]
    [InlineData("1,1", false)]
    [InlineData("1.0", false)]
    [InlineData("1e3", false)]
    [InlineData("0x10", false)]
    [InlineData("\u0661", false)]
    [InlineData("99999999999999999999", false)]
    [InlineData("000000000000000000000000000000000000000000000000001", false)]
    public void Only_digits_become_a_number(string value, bool isNumber)
    {
        // As the server reads it: twenty characters of room, at most nineteen of them used.
        Span<char> chars = stackalloc char[20];
        var length = DigitsAlone.For("Content-Length")!.GetChars(Encoding.UTF8.GetBytes(value), chars);

        Assert.Equal(isNumber,
            length <= 19 && long.TryParse(chars[..length], NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) && number >= 0);
    }

    [Theory]
    [InlineData("content-length", true)]
    [InlineData("CONTENT-LENGTH", true)]
    [InlineData("Accept-Charset", false)]
    [InlineData("Content-Type", false)]
    [InlineData("", false)]
    public void No_other_header_is_touched(string name, bool touched) => Assert.Equal(touched, DigitsAlone.For(name) is not null);

    [Fact]
    public void Its_text_is_bounded_and_holds_nothing_of_a_stranger()
    {
        var text = DigitsAlone.For("Content-Length")!.GetString("12\r\nX: \x1b[0m"u8);

        Assert.Equal("12???????0?", text);
    }
}
