using WebhookEdge.Gate;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Gate;

public sealed class RawTargetTests
{
    private static readonly RoutePolicy Literal = new() { RouteId = "l", Fingerprint = "", Path = "/hook" };
    private static readonly RoutePolicy Prefix = new() { RouteId = "p", Fingerprint = "", Path = "/tg/", IsPrefix = true };

    [Theory]
    [InlineData("/hook?a=http://x/", "anything", "/hook?a=http://x/")]
    [InlineData("*", "localhost", "*")]
    [InlineData("", "localhost", "")]
    [InlineData("ftp://localhost/hook", "localhost", "ftp://localhost/hook")]
    [InlineData("http://localhost/hook", "LocalHost", "/hook")]
    [InlineData("HTTPS://localhost:443/hook", "localhost", "/hook")]
    [InlineData("http://localhost:80", "localhost", "/")]
    [InlineData("http://localhost?a=/b", "localhost", "/?a=/b")]
    [InlineData("http://localhost#a", "localhost", "/#a")]
    [InlineData("http://localhost//hook/../%2e", "localhost", "//hook/../%2e")]
    [InlineData("http://[::80]/hook", "[::80]:80", "/hook")]
    [InlineData("http://localhost:443/hook", "localhost", null)]
    [InlineData("https://localhost:80/hook", "localhost", null)]
    [InlineData("http://localhost:8080/hook", "localhost", null)]
    [InlineData("http://other/hook", "localhost", null)]
    [InlineData("http://user@localhost/hook", "localhost", null)]
    [InlineData("http://localhost\\hook", "localhost", null)]
    [InlineData("http:///hook", "", null)]
    [InlineData("http://:80/hook", "", "/hook")]
    [InlineData("http://localhost/hook", "", null)]
    public void Scheme_and_authority_are_cut_off_when_they_say_what_Host_says(string target, string host, string? expected) =>
        Assert.Equal(expected, RawTarget.OriginForm(target, host));

    [Theory]
    [InlineData("/hook", "Pass")]
    [InlineData("/hook?%zz", "Pass")]
    [InlineData("/HOOK", "PathRefused")]
    [InlineData("/hook/", "PathRefused")]
    [InlineData("/%68ook", "PathRefused")]
    [InlineData("/hook#a", "PathRefused")]
    [InlineData("/ho ok", "RequestMalformed")]
    [InlineData("/hook?\u00e4", "Pass")]
    [InlineData("/h\u00f6\u00f6k", "RequestMalformed")]
    public void A_literal_path_is_its_one_spelling(string target, string expected) => Assert.Equal(expected, Word(RawTarget.Judge(Literal, "POST", target)));

    [Theory]
    [InlineData("/tg/123456:ABC-def_GHI", "Pass")]
    [InlineData("/tg/@!$&'()*+,=:~", "Pass")]
    [InlineData("/tg/", "Pass")]
    [InlineData("/tg/a;b", "PathRefused")]
    [InlineData("/tg/a%3Ab", "PathRefused")]
    [InlineData("/tg/a\\b", "PathRefused")]
    [InlineData("/tg/a//b", "PathRefused")]
    [InlineData("/tg/./b", "PathRefused")]
    [InlineData("/tg/a|b", "PathRefused")]
    [InlineData("/TG/a", "PathRefused")]
    public void A_prefix_takes_what_a_path_may_hold_without_escapes_and_parameters(string target, string expected) =>
        Assert.Equal(expected, Word(RawTarget.Judge(Prefix, "POST", target)));

    [Fact]
    public void CONNECT_and_another_host_are_malformed_and_no_matter_of_the_path()
    {
        Assert.Equal("RequestMalformed", Word(RawTarget.Judge(Prefix, "CONNECT", "localhost:80")));
        Assert.Equal("RequestMalformed", Word(RawTarget.Judge(Literal, "POST", null)));
    }

    [Theory]
    [InlineData(true, "/tg/a;b", "the rest of the path has")]
    [InlineData(true, "/tg/..", "the rest of the path has")]
    [InlineData(true, "/tgx", "the path differs from the route's")]
    [InlineData(true, "/other", "the path differs from the route's")]
    [InlineData(false, "/hook/more", "the path differs from the route's")]
    [InlineData(false, "/hookmore", "the path differs from the route's")]
    [InlineData(false, "/ho\tok", "a blank, a control character or one outside ASCII")]
    [InlineData(false, null, "another host than the Host header")]
    public void The_operator_is_told_what_is_wrong_with_a_path(bool isPrefix, string? target, string detail) =>
        Assert.Contains(detail, RawTarget.Judge(isPrefix ? Prefix : Literal, "POST", target).Detail, StringComparison.Ordinal);

    [Theory]
    [InlineData("POST", "/nowhere", "RouteUnknown", null)]
    [InlineData("POST", "/now here", "RequestMalformed", RawTarget.Fault)]
    [InlineData("POST", "/\u007f", "RequestMalformed", RawTarget.Fault)]
    [InlineData("POST", "/!~", "RouteUnknown", null)]
    [InlineData("CONNECT", "localhost:80", "RequestMalformed", "CONNECT")]
    [InlineData("CONNECT", "local host", "RequestMalformed", "CONNECT")]
    public void What_matches_no_route_is_unknown_or_malformed(string method, string target, string reason, string? detail)
    {
        var verdict = RawTarget.Refuse(method, target);

        Assert.Equal((reason, detail), (verdict.Reason.ToString(), verdict.Detail));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("*", "*")]
    [InlineData("/a@b", "/a@b")]
    [InlineData("/a?http://u:p@h/", "/a?http://u:p@h/")]
    [InlineData("http://h/a@b?c@d", "http://h/a@b?c@d")]
    [InlineData("http://u:p@h/a", "http://h/a")]
    [InlineData("HTTPS://u:p@h", "HTTPS://h")]
    [InlineData("http://u@v:p@h?x@y", "http://h?x@y")]
    [InlineData("u:p@h:443", "h:443")]
    [InlineData("http://@h/", "http://h/")]
    [InlineData("http://u:p@", "http://")]
    public void A_name_and_a_password_in_a_target_are_not_shown(string target, string shown) => Assert.Equal(shown, RawTarget.Shown(target));

    private static string Word(Verdict verdict) => verdict.Passed ? "Pass" : verdict.Reason.ToString();
}
