using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;
using WebhookEdge.Ingress;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Ingress;

/// <summary>What is refused from a request's head alone, case by case, and in which order.</summary>
public sealed class RequestShapeCheckTests
{
    private const int BodyLimit = 1000;
    private readonly IHeaderDictionary _headers = new HeaderDictionary();

    [Fact]
    public async Task An_ordinary_head_passes()
    {
        _headers["Content-Type"] = "application/json; charset=\"utf-8\"\t";
        _headers["X-Umlaut"] = "J\u00f6rg";
        _headers["X-Empty"] = "";

        Assert.Equal((Stage.Shape, ""), (new RequestShapeCheck([], []).Stage, await JudgeAsync()));
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("PUT", true)]
    [InlineData("post", false)]
    [InlineData("GET", false)]
    [InlineData("POST ", false)]
    [InlineData("", false)]
    public async Task A_method_is_one_of_the_routes_letter_by_letter(string method, bool passes) =>
        Assert.Equal(passes ? "" : "MethodRefused: ", await JudgeAsync(method: method));

    [Theory]
    [InlineData("/hook?a=%20~!", true)]
    [InlineData("/hook?a b", false)]
    [InlineData("/hook?\u0000", false)]
    [InlineData("/hook?a\r\nX: y", false)]
    [InlineData("/hook?\u007f", false)]
    [InlineData("/hook?\u00e4", false)]
    public async Task A_target_is_visible_ASCII_to_its_end(string target, bool passes) =>
        Assert.Equal(passes ? "" : "RequestMalformed: " + RawTarget.Fault, await JudgeAsync(target: target));

    [Theory]
    [InlineData('\u0000')]
    [InlineData('\u0001')]
    [InlineData('\r')]
    [InlineData('\n')]
    [InlineData('\u001f')]
    [InlineData('\u007f')]
    public async Task A_control_character_in_any_value_of_any_header_is_malformed(char control)
    {
        _headers["X-First"] = "fine";
        _headers["X-More"] = new StringValues(["fine", "fine too", $"a{control}b"]);

        Assert.Equal("RequestMalformed: control character in a header value", await JudgeAsync());
    }

    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("identity, br", "br")]
    [InlineData("identity", null)]
    [InlineData("", null)]
    [InlineData("deflate", null)]
    [InlineData("DEFLATE", null)]
    public async Task A_coding_that_the_route_does_not_let_through_is_named(string written, string? refused)
    {
        _headers.ContentEncoding = written;

        Assert.Equal(refused is null ? "" : "EncodingRefused: " + refused, await JudgeAsync());
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(0L, true)]
    [InlineData((long)BodyLimit, true)]
    [InlineData(BodyLimit + 1L, false)]
    [InlineData(long.MaxValue, false)]
    public async Task A_declared_length_is_at_most_the_routes_limit(long? declared, bool passes) =>
        Assert.Equal(passes ? "" : "BodyTooLarge: declared length", await JudgeAsync(declared: declared));

    [Fact]
    public async Task What_is_framed_in_two_ways_is_malformed_whatever_else_is_wrong()
    {
        _headers.ContentEncoding = "gzip";
        var delivery = Open("PATCH", "/ho ok", BodyLimit + 1);
        delivery.Ambiguous = true;

        Assert.Equal("RequestMalformed: an upgrade to another protocol, CONNECT, or a body framed in two ways", await JudgeAsync(delivery));
    }

    private Task<string> JudgeAsync(string method = "POST", string target = "/hook?a=b", long? declared = 10) => JudgeAsync(Open(method, target, declared));

    /// <summary>Empty when it passes, else "Reason: detail".</summary>
    private static async Task<string> JudgeAsync(Delivery delivery)
    {
        var verdict = await new RequestShapeCheck(["PUT", "POST"], ["deflate"]).CheckAsync(delivery, CancellationToken.None);
        return verdict.Passed ? "" : $"{verdict.Reason}: {verdict.Detail}";
    }

    private Delivery Open(string method, string target, long? declared)
    {
        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None with { BodyLimit = BodyLimit }, method, target, ClientAddress.From(IPAddress.Loopback), _headers, declared,
            PipeReader.Create(Stream.Null));
        return delivery;
    }
}
