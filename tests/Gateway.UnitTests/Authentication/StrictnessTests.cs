using System.Text;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.UnitTests.Configuration;
using WebhookEdge.Verdicts;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>The rules that no scheme can switch off, a test for each.</summary>
public sealed class StrictnessTests
{
    private const string Body = """{"event":"check.completed"}""";

    private static readonly SchemeSpec Plain = new() { Header = new(["X-Signature"]) };

    private static readonly SchemeSpec Timed = new()
    {
        Header = new(["X-Signature"]),
        Entries = new() { Separator = ",", KeySeparator = "=", Key = "v1" },
        Signed = "{timestamp}.{body}",
        Timestamp = new() { From = "entry:t" },
    };

    private static readonly SchemeSpec Standard = new()
    {
        Header = new(["webhook-signature"]),
        Encoding = MacEncoding.Base64,
        Entries = new() { Separator = " ", KeySeparator = ",", Key = "v1" },
        Signed = "{id}.{timestamp}.{body}",
        Timestamp = new() { From = "header:webhook-timestamp" },
        Id = "header:webhook-id",
    };

    [Theory]
    [InlineData("X-Signature", "signature")]
    [InlineData("webhook-timestamp", "standard")]
    [InlineData("webhook-id", "standard")]
    [InlineData("webhook-signature", "standard")]
    public void Two_lines_of_a_signature_timestamp_or_id_header_are_refused(string header, string which)
    {
        var harness = SchemeHarness.Create(which == "standard" ? Standard : Plain);
        var headers = harness.Sign(Body)
            .Select(pair => KeyValuePair.Create(pair.Key, pair.Key == header ? new StringValues([pair.Value, pair.Value]) : new StringValues(pair.Value)));

        Refused(RejectReason.SignatureMalformed, harness.Decide(SchemeHarness.Deliver(headers, new(Encoding.UTF8.GetBytes(Body)))));
    }

    [Theory]
    [InlineData(", ")]
    [InlineData(",")]
    public void A_comma_joined_second_value_is_refused(string comma)
    {
        var harness = SchemeHarness.Create(Plain);
        var good = Value(harness.Sign(Body));

        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", good + comma + good)], Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", new string('0', 64) + comma + good)], Body));
    }

    [Fact]
    public void White_space_around_the_value_and_around_entries_is_trimmed()
    {
        var harness = SchemeHarness.Create(Timed);
        var value = Value(harness.Sign(Body));

        Assert.True(harness.Decide([new("X-Signature", "  " + value.Replace(",", " ,  ", StringComparison.Ordinal) + "\t")], Body).Passed);
    }

    [Fact]
    public void More_than_32_entries_are_refused()
    {
        var harness = SchemeHarness.Create(Timed);
        var value = Value(harness.Sign(Body));
        string With(int others) => string.Concat(Enumerable.Repeat("v0=00,", others)) + value;

        Assert.True(harness.Decide([new("X-Signature", With(30))], Body).Passed);
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", With(31))], Body));
    }

    [Fact]
    public void A_header_beyond_8192_characters_is_refused()
    {
        var harness = SchemeHarness.Create(Timed);
        var value = Value(harness.Sign(Body));
        string With(int length) => "v0=" + new string('0', length - value.Length - 4) + "," + value;

        Assert.True(harness.Decide([new("X-Signature", With(8192))], Body).Passed);
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", With(8193))], Body));
    }

    [Theory]
    [InlineData("0x")]
    [InlineData("undefined")]
    [InlineData("null")]
    [InlineData("abc")]
    [InlineData("zz")]
    [InlineData("test-signature")]
    [InlineData("ｆｆ")]
    public void What_is_no_hex_digest_is_malformed_and_never_an_error(string text)
    {
        var harness = SchemeHarness.Create(Plain);
        var good = Value(harness.Sign(Body));

        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", text)], Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", good + text)], Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", text + good)], Body));
        Assert.False(harness.Decide([new("X-Signature", text + good[text.Length..])], Body).Passed);
    }

    [Fact]
    public void A_digest_of_another_length_is_refused()
    {
        var harness = SchemeHarness.Create(Plain);
        var longer = RequestSigner.Sign(Plain with { Algorithm = MacAlgorithm.Sha512 }, harness.Secrets[0], "POST", "", Encoding.UTF8.GetBytes(Body),
            SchemeHarness.Now);

        Refused(RejectReason.SignatureMalformed, harness.Decide(longer, Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", Value(harness.Sign(Body))[..62])], Body));
    }

    [Fact]
    public void Upper_case_hex_is_accepted()
    {
        var harness = SchemeHarness.Create(Plain);

        Assert.True(harness.Decide([new("X-Signature", Value(harness.Sign(Body)).ToUpperInvariant())], Body).Passed);
    }

    [Fact]
    public void Hex_of_mixed_case_is_malformed()
    {
        var harness = SchemeHarness.Create(Plain);
        var good = Value(harness.Sign(Body));
        var first = good.AsSpan().IndexOfAnyInRange('a', 'f');

        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", good[..(first + 1)].ToUpperInvariant() + good[(first + 1)..])], Body));
    }

    [Fact]
    public void Only_the_declared_encoding_is_tried()
    {
        var harness = SchemeHarness.Create(Plain with { Encoding = MacEncoding.Base64 });
        var hex = RequestSigner.Sign(Plain, harness.Secrets[0], "POST", "", Encoding.UTF8.GetBytes(Body), SchemeHarness.Now);

        Refused(RejectReason.SignatureMalformed, harness.Decide(hex, Body));
    }

    [Theory]
    [InlineData("base64")]
    [InlineData("base64url")]
    public void Base64_has_one_spelling(string encoding)
    {
        // Found by search: a body whose signature holds both letters that the two alphabets spell differently.
        var harness = SchemeHarness.Create(Plain with { Encoding = Word.As<MacEncoding>(encoding) });
        var body = Enumerable.Range(0, 1000).Select(i => $"{{\"n\":{i}}}").First(text =>
        {
            var sample = Value(harness.Sign(text));
            return sample.AsSpan().ContainsAny("+-") && sample.AsSpan().ContainsAny("/_");
        });
        var good = Value(harness.Sign(body));
        var digits = good.TrimEnd('=');
        var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + (encoding == "base64" ? "+/" : "-_");
        var nonCanonical = digits[..^1] + alphabet[alphabet.IndexOf(digits[^1], StringComparison.Ordinal) + 1];
        var padding = encoding == "base64" ? "=" : "";
        var otherAlphabet = encoding == "base64" ? good.Replace('+', '-').Replace('/', '_') : good.Replace('-', '+').Replace('_', '/');

        Assert.True(harness.Decide([new("X-Signature", good)], body).Passed);
        foreach (var bad in new[] { nonCanonical + padding, otherAlphabet, digits + "==", digits + "=" + padding + "=", good[..20] + " " + good[20..],
            good[..20] + "\n" + good[20..], good + "!!", good + "AAAA", "====" })
        {
            Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", bad)], body));
        }

        // Python's urlsafe_b64encode pads, most others do not: both spell the same bytes.
        Assert.Equal(encoding == "base64url", harness.Decide([new("X-Signature", encoding == "base64url" ? digits + "=" : digits)], body).Passed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    public void An_empty_signature_is_missing(string value)
    {
        var harness = SchemeHarness.Create(Plain);

        Refused(RejectReason.SignatureMissing, harness.Decide([new("X-Signature", value)], Body));
        Refused(RejectReason.SignatureMissing, harness.Decide([], Body));
    }

    [Theory]
    [InlineData("sha256=", true)]
    [InlineData("", false)]
    [InlineData("SHA256=", false)]
    [InlineData("sha1=", false)]
    [InlineData("sha256= ", false)]
    public void The_prefix_must_stand_there_as_written(string prefix, bool accepted)
    {
        var harness = SchemeHarness.Create(Plain with { Prefix = "sha256=" });
        var good = Value(harness.Sign(Body))["sha256=".Length..];

        Assert.False(harness.Decide([new("X-Signature", prefix)], Body).Passed);
        Assert.Equal(accepted, harness.Decide([new("X-Signature", prefix + good)], Body).Passed);
    }

    [Theory]
    [InlineData("v0")]
    [InlineData("v2")]
    [InlineData("v1a")]
    [InlineData("V1")]
    [InlineData("v1 ")]
    public void Entries_of_another_version_never_count(string version)
    {
        var harness = SchemeHarness.Create(Timed);
        var value = Value(harness.Sign(Body)).Replace("v1=", version + "=", StringComparison.Ordinal);

        Refused(RejectReason.SignatureMissing, harness.Decide([new("X-Signature", value)], Body));
    }

    [Theory]
    [InlineData("t=1700000000,,v1=")]
    [InlineData("t=1700000000,v1=,")]
    [InlineData(",t=1700000000,v1=")]
    [InlineData("=x,t=1700000000,v1=")]
    [InlineData("x,t=1700000000,v1=")]
    [InlineData("t=1700000000,v1=zz,v1=")]
    [InlineData("t=1700000000,v1=00,v1=")]
    public void A_list_with_a_broken_entry_is_refused_whole(string start)
    {
        var harness = SchemeHarness.Create(Timed);
        var good = Value(harness.Sign(Body))[^64..];

        Assert.False(harness.Decide([new("X-Signature", start + (start[^1] == ',' ? "" : good))], Body).Passed);
    }

    [Fact]
    public void Any_of_several_signatures_may_match()
    {
        var harness = SchemeHarness.Create(Timed);
        var value = Value(harness.Sign(Body));

        Assert.True(harness.Decide([new("X-Signature", $"v1={new string('a', 64)},{value},v1={new string('b', 64)}")], Body).Passed);
    }

    [Fact]
    public void Two_different_timestamp_entries_are_refused()
    {
        var harness = SchemeHarness.Create(Timed);
        var value = Value(harness.Sign(Body));

        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", "t=1700000001," + value)], Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", value + ",t=1700000001")], Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", value + ",t=")], Body));
    }

    [Fact]
    public void A_group_of_entries_may_repeat_the_same_timestamp()
    {
        var harness = SchemeHarness.Create(Timed with { Entries = Timed.Entries! with { Group = " " } });
        var value = Value(harness.Sign(Body));
        var other = $"t=1700000000,v1={new string('a', 64)}";

        Assert.True(harness.Decide([new("X-Signature", $"{other} {value}")], Body).Passed);
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", $"{value} t=1700000001,v1={new string('a', 64)}")], Body));
    }

    [Fact]
    public void A_list_without_keys_is_a_list_of_signatures()
    {
        var harness = SchemeHarness.Create(Plain with { Entries = new() { Separator = "," } });
        var good = Value(harness.Sign(Body));

        Assert.True(harness.Decide([new("X-Signature", $"{new string('a', 64)}, {good}")], Body).Passed);
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Signature", $"{good},x")], Body));
    }

    [Theory]
    [InlineData("1700000000[")]
    [InlineData("+1700000000")]
    [InlineData("-1700000000")]
    [InlineData("1700000000.0")]
    [InlineData("01700000000")]
    [InlineData("1.7e9")]
    [InlineData("0x6553f100")]
    [InlineData("1700000000 ")]
    [InlineData(" 1700000000")]
    [InlineData("١٧٠٠٠٠٠٠٠٠")]
    [InlineData("9999999999999999")]
    [InlineData("NaN")]
    [InlineData("2023-11-14T22:13:20Z")]
    public void A_timestamp_is_strict_digits(string time)
    {
        var harness = SchemeHarness.Create(Standard);
        var headers = harness.Sign(Body).Select(pair => pair.Key == "webhook-timestamp" ? new(pair.Key, time) : pair);

        Refused(RejectReason.SignatureMalformed, harness.Decide(headers, Body));
    }

    [Theory]
    [InlineData("2023-11-14T22:13:20Z", true)]
    [InlineData("2023-11-14T22:13:20.1Z", true)]
    [InlineData("2023-11-14T22:13:20.123456789Z", true)]
    [InlineData("2023-11-15T00:13:20+02:00", true)]
    [InlineData("2023-11-14T14:43:20-07:30", true)]
    [InlineData("2023-11-14 22:13:20Z", false)]
    [InlineData("2023-11-14T22:13:20", false)]
    [InlineData("2023-11-14t22:13:20z", false)]
    [InlineData("2023-11-14T22:13:20.Z", false)]
    [InlineData("2023-11-14T22:13:20.1234567890Z", false)]
    [InlineData("2023-11-14T22:13:60Z", false)]
    [InlineData("2023-11-31T22:13:20Z", false)]
    [InlineData("2023-13-14T22:13:20Z", false)]
    [InlineData("2023-11-14T24:00:00Z", false)]
    [InlineData("0000-11-14T22:13:20Z", false)]
    [InlineData("2023-11-14T22:13:20+0200", false)]
    [InlineData("2023-11-14T22:13:20+15:00", false)]
    [InlineData("2023-11-14T22:13:20Z}", false)]
    [InlineData("}2023-11-14T22:13:20Z", false)]
    [InlineData("2023-W46-2T22:13:20Z", false)]
    [InlineData("1700000000", false)]
    public void An_iso_timestamp_has_one_form(string text, bool valid)
    {
        var parsed = SignedTime.TryParse(text, TimeUnit.Iso, out var milliseconds);

        Assert.Equal(valid, parsed);
        if (valid)
        {
            Assert.Equal(1_700_000_000L, milliseconds / 1000);
        }
    }

    [Theory]
    [InlineData(-301)]
    [InlineData(301)]
    [InlineData(-100_000_000)]
    [InlineData(100_000_000)]
    public void A_time_outside_the_window_is_refused_both_ways(int seconds)
    {
        foreach (var spec in new[] { Timed, Standard, Standard with { Timestamp = new() { From = "header:webhook-timestamp", Unit = TimeUnit.Milliseconds } },
            Standard with { Timestamp = new() { From = "header:webhook-timestamp", Unit = TimeUnit.Iso } } })
        {
            var harness = SchemeHarness.Create(spec);

            Refused(RejectReason.TimestampOutsideWindow, harness.Decide(harness.Sign(Body, at: SchemeHarness.Now.AddSeconds(seconds)), Body));
        }
    }

    [Theory]
    [InlineData(-300)]
    [InlineData(0)]
    [InlineData(300)]
    public void A_time_at_the_edge_of_the_window_passes(int seconds)
    {
        var harness = SchemeHarness.Create(Timed);

        Assert.True(harness.Decide(harness.Sign(Body, at: SchemeHarness.Now.AddSeconds(seconds)), Body).Passed);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("999999999999999")]
    public void The_age_of_extreme_times_does_not_overflow(string time)
    {
        var harness = SchemeHarness.Create(Standard);
        var headers = harness.Sign(Body).Select(pair => pair.Key == "webhook-timestamp" ? new(pair.Key, time) : pair);

        Refused(RejectReason.TimestampOutsideWindow, harness.Decide(headers, Body));
    }

    [Fact]
    public void A_tolerance_of_zero_checks_no_age_but_still_the_form()
    {
        var harness = SchemeHarness.Create(Timed with { Timestamp = new() { From = "entry:t", ToleranceSeconds = 0 } });

        Assert.True(harness.Decide(harness.Sign(Body, at: DateTimeOffset.UnixEpoch.AddSeconds(5)), Body).Passed);
        Refused(RejectReason.SignatureMalformed,
            harness.Decide([new("X-Signature", Value(harness.Sign(Body)).Replace("t=", "t=x", StringComparison.Ordinal))], Body));
    }

    [Theory]
    [InlineData("{timestamp}{body}", "[1]", 1)]
    [InlineData("{timestamp}{body}", "5", 1)]
    [InlineData("{body}{timestamp}", "[1]", -1)]
    [InlineData("{body}{timestamp}", "75", -1)]
    public void The_border_between_timestamp_and_body_cannot_be_moved(string template, string body, int shift)
    {
        var harness = SchemeHarness.Create(Plain with { Signed = template, Timestamp = new() { From = "header:X-Time" } });
        var headers = harness.Sign(body).ToDictionary();
        Assert.True(harness.Decide(headers, body).Passed);

        // The same signed bytes, cut one character elsewhere.
        headers["X-Time"] = shift > 0 ? headers["X-Time"] + body[0] : body[^1] + headers["X-Time"];
        body = shift > 0 ? body[1..] : body[..^1];

        Assert.False(harness.Decide(headers, body.Length == 0 ? " " : body).Passed);
        Assert.Contains(harness.Decide(SchemeHarness.Deliver(headers, body)).Reason,
            new[] { RejectReason.SignatureMalformed, RejectReason.TimestampOutsideWindow });
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("msg_{\"x\":1")]
    [InlineData("msg\u00e4")]
    [InlineData("msg\u0001")]
    public void A_signed_id_holds_plain_characters_only(string id)
    {
        var harness = SchemeHarness.Create(Standard);

        Refused(RejectReason.SignatureMalformed, harness.Decide(harness.Sign(Body, id: id), Body));
    }

    [Fact]
    public void A_missing_signed_id_or_timestamp_is_refused()
    {
        var harness = SchemeHarness.Create(Standard);

        Refused(RejectReason.SignatureMissing, harness.Decide(harness.Sign(Body).Where(pair => pair.Key != "webhook-id"), Body));
        Refused(RejectReason.SignatureMissing, harness.Decide(harness.Sign(Body).Where(pair => pair.Key != "webhook-timestamp"), Body));
        Refused(RejectReason.SignatureMissing, harness.Decide(harness.Sign(Body, id: ""), Body));
        Refused(RejectReason.SignatureMissing, SchemeHarness.Create(Timed).Decide([new("X-Signature", "v1=" + new string('0', 64))], Body));
    }

    [Fact]
    public void An_empty_body_is_refused_unless_the_scheme_says_so()
    {
        var strict = SchemeHarness.Create(Plain);
        var lenient = SchemeHarness.Create(Plain with { EmptyBody = true });

        Refused(RejectReason.SignatureMalformed, strict.Decide(strict.Sign(""), ""));
        Assert.True(lenient.Decide(lenient.Sign(""), "").Passed);
    }

    [Fact]
    public void The_body_is_never_decoded()
    {
        var harness = SchemeHarness.Create(Plain);
        byte[] invalid = [.. "{\"x\":\""u8, 0xFF, .. "\"}"u8];
        var replaced = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(invalid));
        byte[] marked = [0xEF, 0xBB, 0xBF, .. "{}"u8];

        Assert.True(Decide(harness, signed: invalid, sent: invalid));
        Assert.False(Decide(harness, signed: replaced, sent: invalid));
        Assert.False(Decide(harness, signed: marked, sent: "{}"u8.ToArray()));
        Assert.False(Decide(harness, signed: "{}"u8.ToArray(), sent: marked));
        Assert.False(Decide(harness, signed: "{\"a\":1}"u8.ToArray(), sent: "{ \"a\": 1 }"u8.ToArray()));
        Assert.False(Decide(harness, signed: "{}\n"u8.ToArray(), sent: "{}"u8.ToArray()));
    }

    [Fact]
    public void The_url_is_the_configured_one_with_the_query_as_received()
    {
        var harness = SchemeHarness.Create(Plain with { Signed = "{url}{body}" });
        var target = SchemeHarness.Path + "?a=%20b&c=%C3%A4+d";
        var headers = harness.Sign(Body, target: target);

        Assert.True(harness.Decide(headers, Body, target: target).Passed);
        Refused(RejectReason.SignatureMismatch, harness.Decide(headers, Body, target: SchemeHarness.Path + "?a=+b&c=%C3%A4+d"));
        Refused(RejectReason.SignatureMismatch, harness.Decide(headers, Body));
    }

    [Fact]
    public void The_path_of_a_literal_route_comes_from_the_configuration()
    {
        var harness = SchemeHarness.Create(Plain with { Signed = "{url}{body}" });

        Assert.True(harness.Decide(harness.Sign(Body), Body, target: "/elsewhere").Passed);
    }

    [Fact]
    public void The_rest_of_a_prefix_route_is_signed_as_received()
    {
        var harness = SchemeHarness.CreateAt(SchemeHarness.PublicUrl + "/", "/hooks/{**rest}", Plain with { Signed = "{method} {url} {body}" });
        var headers = harness.Sign(Body, target: "/hooks/a?b", method: "PUT");

        Assert.True(harness.Decide(headers, Body, "PUT", "/hooks/a?b").Passed);
        Refused(RejectReason.SignatureMismatch, harness.Decide(headers, Body, "PUT", "/hooks/b?b"));
        Refused(RejectReason.SignatureMismatch, harness.Decide(headers, Body, "POST", "/hooks/a?b"));
        Refused(RejectReason.SignatureMalformed, harness.Decide(headers, Body, "PUT", "http://hooks.example.com/hooks/a?b"));
    }

    [Fact]
    public void The_border_between_url_and_body_cannot_be_moved()
    {
        var harness = SchemeHarness.Create(Plain with { Signed = "{url}{body}" });
        var target = SchemeHarness.Path + "?a=1";
        const string Json = """{"a":1}""";
        var headers = harness.Sign(Json, target: target);

        Refused(RejectReason.SignatureMalformed, harness.Decide(headers, "1}", target: target + Json[..^2]));
    }

    [Fact]
    public void The_border_between_a_signed_header_and_the_body_cannot_be_moved()
    {
        var harness = SchemeHarness.Create(Plain with { Signed = "{header:X-Topic}:{body}" });
        var headers = harness.Sign("""{"a":12}""", signedHeaders: new() { ["X-Topic"] = "orders" });
        Assert.True(harness.Decide(headers, """{"a":12}""").Passed);

        var moved = headers.Select(pair => pair.Key == "X-Topic" ? new(pair.Key, """orders:{"a" """.TrimEnd()) : pair);

        Refused(RejectReason.SignatureMalformed, harness.Decide(moved, "12}"));
        Refused(RejectReason.SignatureMissing, harness.Decide(headers.Where(pair => pair.Key != "X-Topic"), """{"a":12}"""));
    }

    [Fact]
    public void Required_headers_must_have_exactly_their_value()
    {
        var harness = SchemeHarness.Create(Plain with { Require = new() { ["X-Auth-Client"] = "abc" } });
        var headers = harness.Sign(Body);

        Assert.True(harness.Decide(headers, Body).Passed);
        foreach (var value in new[] { "ABC", "abc ", "", "abcd" })
        {
            Refused(RejectReason.SignatureMalformed, harness.Decide(headers.Select(pair => pair.Key == "X-Auth-Client" ? new(pair.Key, value) : pair), Body));
        }

        Refused(RejectReason.SignatureMalformed, harness.Decide(headers.Where(pair => pair.Key != "X-Auth-Client"), Body));
    }

    [Fact]
    public void Any_of_several_headers_may_match()
    {
        var harness = SchemeHarness.Create(Plain with { Header = new(["X-Primary", "X-Secondary"]) });
        var good = harness.Sign(Body)[0].Value;
        var other = new string('a', 64);

        Assert.True(harness.Decide([new("X-Primary", good)], Body).Passed);
        Assert.True(harness.Decide([new("X-Secondary", good)], Body).Passed);
        Assert.True(harness.Decide([new("X-Primary", other), new("X-Secondary", good)], Body).Passed);
        Refused(RejectReason.SignatureMismatch, harness.Decide([new("X-Primary", other), new("X-Secondary", other)], Body));
        Refused(RejectReason.SignatureMalformed, harness.Decide([new("X-Primary", good), new("X-Secondary", "x")], Body));
        Refused(RejectReason.SignatureMissing, harness.Decide([], Body));
    }

    [Fact]
    public void Numbered_headers_are_read_up_to_the_first_absent_one()
    {
        var harness = SchemeHarness.Create(Plain with { Header = new(["X-DocuSign-Signature-{n}"]), Encoding = MacEncoding.Base64 },
            "the-secret-of-the-second-header!");
        var good = harness.Sign(Body)[0].Value;
        var other = Convert.ToBase64String(new byte[32]);

        Assert.True(harness.Decide([new("X-DocuSign-Signature-1", other), new("X-DocuSign-Signature-2", good)], Body).Passed);
        Refused(RejectReason.SignatureMismatch, harness.Decide([new("X-DocuSign-Signature-1", other), new("X-DocuSign-Signature-3", good)], Body));
        Refused(RejectReason.SignatureMissing, harness.Decide([new("X-DocuSign-Signature-2", good)], Body));
    }

    [Theory]
    [InlineData("s", "1700000000")]
    [InlineData("s", "\"1700000000\"")]
    [InlineData("ms", "1700000000000")]
    [InlineData("iso", "\"2023-11-14T22:13:20.000Z\"")]
    public void A_time_in_the_body_is_checked_after_the_signature(string unit, string time)
    {
        var harness = SchemeHarness.Create(Plain with { Timestamp = new() { From = "json:/sent", Unit = Word.As<TimeUnit>(unit), ToleranceSeconds = 60 } });
        var body = $$"""{"sent":{{time}}}""";
        var delivery = SchemeHarness.Deliver(harness.Sign(body), body);

        Assert.True(harness.Decide(delivery).Passed);
        Assert.Equal(1_700_000_000_000, delivery.Proof!.Value.SignedTime);
        harness.Clock = SchemeHarness.Now.AddSeconds(61);
        Refused(RejectReason.TimestampOutsideWindow, harness.Decide(harness.Sign(body), body));
        Refused(RejectReason.SignatureMismatch, harness.Decide(harness.Sign(body + " "), body));
    }

    [Theory]
    [InlineData("{}", "signature-missing")]
    [InlineData("not json", "signature-missing")]
    [InlineData("""{"sent":1700000000,"sent":1700000000}""", "signature-missing")]
    [InlineData("""{"sent":null}""", "signature-malformed")]
    [InlineData("""{"sent":1.7e9}""", "signature-malformed")]
    [InlineData("""{"sent":"ä"}""", "signature-malformed")]
    public void A_body_without_a_usable_time_is_refused(string body, string slug)
    {
        var harness = SchemeHarness.Create(Plain with { Timestamp = new() { From = "json:/sent" } });

        Refused(slug, harness.Decide(harness.Sign(body), body));
    }

    [Fact]
    public void A_missing_signature_header_is_refused()
    {
        Refused(RejectReason.SignatureMissing, SchemeHarness.Create(Plain).Decide([], Body));
        Refused(RejectReason.SignatureMissing, SchemeHarness.Create(Timed).Decide([new("X-Other", "t=1700000000,v1=aa")], Body));
    }

    [Fact]
    public void A_scheme_that_leaves_the_body_unsigned_must_say_so()
    {
        var silent = Plain with { Signed = "{timestamp}", Timestamp = new() { From = "header:X-Time" } };

        Assert.Contains(SchemeHarness.Problems(silent), problem => problem is { Path: "s.signed", IsWarning: false });
        Assert.DoesNotContain(SchemeHarness.Problems(silent with { UnsignedBody = true }), problem => !problem.IsWarning);
    }

    [Fact]
    public void An_unsigned_timestamp_is_a_warning_at_load()
    {
        var unsigned = Plain with { Timestamp = new() { From = "header:X-Time" } };

        Assert.Contains(SchemeHarness.Problems(unsigned),
            problem => problem is { Path: "s.timestamp", IsWarning: true } && problem.Message.Contains("not signed", StringComparison.Ordinal));
        Assert.Empty(SchemeHarness.Problems(unsigned with { Signed = "{timestamp}.{body}" }));
    }

    [Fact]
    public void An_empty_secret_does_not_load()
    {
        Assert.Null(SchemeHarness.TryCreateAt(SchemeHarness.PublicUrl, SchemeHarness.Path, Plain, ""));
        Assert.Null(SchemeHarness.TryCreateAt(SchemeHarness.PublicUrl, SchemeHarness.Path,
            Plain with { Key = new() { Strip = "whsec_", Encoding = KeyEncoding.Base64 } }, "whsec_"));
        Assert.NotNull(SchemeHarness.TryCreateAt(SchemeHarness.PublicUrl, SchemeHarness.Path, Plain, "x"));
    }

    [Fact]
    public void The_head_is_judged_before_the_body()
    {
        var harness = SchemeHarness.Create(Standard);

        Assert.Equal([Stage.Timestamp, Stage.Signature], harness.Scheme.Checks.Select(check => check.Stage));
        var stale = harness.Sign(Body, at: SchemeHarness.Now.AddHours(-1));
        var delivery = SchemeHarness.Deliver(stale, "");
        Refused(RejectReason.TimestampOutsideWindow, harness.Decide(delivery));
    }

    private static bool Decide(SchemeHarness harness, byte[] signed, byte[] sent)
    {
        var headers = RequestSigner.Sign(harness.Spec, harness.Secrets[0], "POST", "", signed, SchemeHarness.Now);
        return harness.Decide(SchemeHarness.Deliver(headers.Select(pair => KeyValuePair.Create(pair.Key, new StringValues(pair.Value))), new(sent))).Passed;
    }

    private static string Value(IReadOnlyList<KeyValuePair<string, string>> headers) => headers[^1].Value;
}
