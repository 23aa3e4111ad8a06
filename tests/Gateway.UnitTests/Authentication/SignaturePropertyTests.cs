using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Authentication;

public sealed class SignaturePropertyTests
{
    [Fact]
    public void What_any_scheme_signs_it_accepts_and_any_changed_byte_it_refuses()
    {
        var body = Gen.ListOf(Gen.Choose(0, 255)).Select(bytes => bytes.Select(b => (byte)b).Prepend((byte)'{').ToArray());

        Prop.ForAll(Arb.From(Specs()), Arb.From(body), Arb.From(Gen.Choose(0, 10_000)), (spec, bytes, where) =>
        {
            var harness = SchemeHarness.Create(spec, SecretFor(spec));
            var headers = RequestSigner.Sign(spec, harness.Secrets[0], "POST", SchemeHarness.PublicUrl + SchemeHarness.Path, bytes, SchemeHarness.Now, "id-1",
                new Dictionary<string, string> { ["X-Topic"] = "orders/created" });

            var verdict = Decide(harness, headers, new(bytes));
            Assert.True(verdict.Passed, verdict.Detail);

            if (harness.Scheme.SignsBody)
            {
                bytes[where % bytes.Length] ^= (byte)(1 << (where % 8));
                Assert.False(Decide(harness, headers, new(bytes)).Passed);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void Any_cut_of_the_body_gives_the_same_verdict()
    {
        var harness = SchemeHarness.Create(Presets.Find("stripe")!.Scheme);
        var body = Gen.ListOf(Gen.Choose(0, 255)).Select(bytes => bytes.Select(b => (byte)b).Prepend((byte)'{').ToArray());

        Prop.ForAll(Arb.From(body), Arb.From(Gen.ListOf(Gen.Choose(0, 100))), ArbMap.Default.ArbFor<bool>(), (bytes, cuts, honest) =>
        {
            var headers = RequestSigner.Sign(harness.Spec, harness.Secrets[0], "POST", "", honest ? bytes : [.. bytes, 0], SchemeHarness.Now);

            Assert.Equal(honest, Decide(harness, headers, Segments.Cut(bytes, cuts)).Passed);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void A_prefixed_header_is_read_exactly_as_a_naive_strict_oracle_reads_it()
    {
        var grammar = new SignatureHeader(MacEncoding.Hex, 4, "sha256=", null);
        var oracle = new Regex("^[ \t]*sha256=(?:[0-9a-f]{8}|[0-9A-F]{8})[ \t]*$(?!\n)", RegexOptions.CultureInvariant);
        var text = Gen.ListOf(Gen.Elements("sha256=", "sha256", "=", "deadbeef", "DEAD", "beef", "0x", " ", "\t", ",", "\n", "zz", "é", "\0"))
            .Select(parts => string.Concat(parts.Take(6)));
        var likely = Gen.Elements("sha256=deadbeef", " sha256=DEADbeef\t", "sha256=deadbeef ", "sha256=deadbeef\n", "sha256= deadbeef");

        Prop.ForAll(Arb.From(Gen.Frequency((4, text), (1, likely))), line =>
        {
            var parsed = new ParsedSignature();
            parsed.Clear(1);

            Assert.Equal(oracle.IsMatch(line), grammar.Parse(line, parsed).Passed && parsed.Count == 1);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Fact]
    public void A_list_of_entries_is_read_exactly_as_a_naive_strict_oracle_reads_it()
    {
        var grammar = new SignatureHeader(MacEncoding.Hex, 2, "", new(",", null, "=", "v1", "t"));
        var entry = Gen.Elements("t=1", "t=2", "t=", "v1=beef", "v1=BEEF", "v1=bee", "v1=", "v0=x", "v1", "=beef", "", " v1=beef ", "\tt=1", "v1 =beef",
            "v1= beef", "x=y=z");
        var lines = Gen.ListOf(entry).Select(entries => string.Join(',', entries));

        Prop.ForAll(Arb.From(lines), line =>
        {
            var parsed = new ParsedSignature();
            parsed.Clear(1);
            var entries = line.Trim(' ', '\t').Split(',').Select(part => part.Trim(' ', '\t')).ToList();
            var values = entries.Where(part => part.StartsWith("v1=", StringComparison.Ordinal)).Select(part => part[3..]).ToList();
            var times = entries.Where(part => part.StartsWith("t=", StringComparison.Ordinal)).Select(part => part[2..]).Distinct().ToList();
            var accepts = entries.Count <= 32 && entries.TrueForAll(part => part.IndexOf('=', StringComparison.Ordinal) > 0)
                && values.TrueForAll(value => Regex.IsMatch(value, "^([0-9a-f]{4}|[0-9A-F]{4})$")) && times.Count <= 1;

            Assert.Equal(accepts, grammar.Parse(line, parsed).Passed);
            if (accepts)
            {
                Assert.Equal(values.Count, parsed.Count);
                Assert.Equal(times.Count == 1 ? times[0] : "", parsed.Time.ToString());
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
    }

    [Fact]
    public void No_header_text_makes_a_check_throw()
    {
        var harnesses = new[] { "github", "stripe", "slack", "standard-webhooks", "shopify", "idwise" }
            .Select(name => SchemeHarness.Create(Presets.Find(name)!.Scheme, name == "idwise" ? "user:password" : "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
            .ToList();
        var text = Gen.OneOf(ArbMap.Default.GeneratorFor<string>(),
            Gen.ListOf(Gen.Elements("v1", ",", "=", " ", "t", "17", "Basic ", "AAAA", "sha256=", "\ud800", "\0", "é")).Select(string.Concat));

        Prop.ForAll(Arb.From(text), Arb.From(text), (first, second) =>
        {
            foreach (var harness in harnesses)
            {
                var names = harness.Spec.Header?.Values.Concat(["webhook-id", "webhook-timestamp", "X-Slack-Request-Timestamp"]) ?? ["Authorization"];
                var headers = names.Select((name, i) => KeyValuePair.Create(name, i % 2 == 0 ? first ?? "" : second ?? ""));

                Assert.False(harness.Decide(headers).Passed);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void Base64_is_read_exactly_as_it_is_written()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), bytes =>
        {
            var destination = new byte[bytes.Length + 3];

            Assert.True(StrictText.TryDecodeBase64(Convert.ToBase64String(bytes), destination, urlAlphabet: false, Padding.Required, out var written));
            Assert.Equal(bytes, destination[..written]);
        }).Check(Config.QuickThrowOnFailure);
    }

    [Fact]
    public void Base64_that_is_read_is_written_back_the_same()
    {
        var text = Gen.ListOf(Gen.Elements("A", "B", "Q", "g", "w", "/", "+", "-", "_", "=", " ", "\n", "9")).Select(parts => string.Concat(parts.Take(8)));

        Prop.ForAll(Arb.From(text), spelling =>
        {
            var destination = new byte[16];
            if (StrictText.TryDecodeBase64(spelling, destination, urlAlphabet: false, Padding.Required, out var written))
            {
                Assert.Equal(spelling, Convert.ToBase64String(destination.AsSpan(0, written)));
            }
            else
            {
                Assert.True(!Convert.TryFromBase64String(spelling, destination, out written)
                    || Convert.ToBase64String(destination.AsSpan(0, written)) != spelling);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Fact]
    public void Iso_times_are_read_as_they_are_written()
    {
        var times = Gen.Choose(0, int.MaxValue)
            .SelectMany(seconds => Gen.Choose(0, 999).Select(ms => DateTimeOffset.UnixEpoch.AddSeconds(seconds).AddMilliseconds(ms)));

        Prop.ForAll(Arb.From(times), Arb.From(Gen.Choose(-14 * 60, 14 * 60)), (time, offset) =>
        {
            var text = time.ToOffset(TimeSpan.FromMinutes(offset)).ToString("yyyy-MM-dd'T'HH:mm:ss.fffzzz", System.Globalization.CultureInfo.InvariantCulture);

            Assert.True(SignedTime.TryParseIso(text, out var milliseconds));
            Assert.Equal(time.ToUnixTimeMilliseconds(), milliseconds);
        }).Check(Config.QuickThrowOnFailure);
    }

    private static Gen<SchemeSpec> Specs()
    {
        var signature =
            from kind in Gen.Elements("hmac", "hmac", "digest")
            from algorithm in Gen.Elements(Enum.GetValues<MacAlgorithm>())
            from encoding in Gen.Elements(Enum.GetValues<MacEncoding>())
            from shape in Gen.Elements(0, 1, 2, 3)
            from unit in Gen.Elements(Enum.GetValues<TimeUnit>())
            from signed in Gen.Elements("{body}", "{timestamp}.{body}", "v0:{timestamp}:{body}", "{id}.{timestamp}.{body}", "{method}{url}{body}{timestamp}",
                "{body}{secret}", "ä{header:X-Topic}\n{body}")
            from keyEncoding in Gen.Elements(Enum.GetValues<KeyEncoding>())
            from derive in Gen.Elements(Enum.GetValues<KeyDerivation>())
            let timed = signed.Contains("{timestamp}", StringComparison.Ordinal)
            select new SchemeSpec
            {
                Kind = kind,
                Algorithm = algorithm,
                Encoding = encoding,
                Header = new(["X-Signature"]),
                Prefix = shape == 1 ? "v0=" : null,
                Entries = shape switch { 2 => new() { Separator = ",", KeySeparator = "=", Key = "v1" },
                    3 => new() { Separator = ";", KeySeparator = ":", Key = "h1", Group = " " }, _ => null },
                Signed = kind == "digest" && !signed.Contains("{secret}", StringComparison.Ordinal) ? signed + "{secret}" : signed,
                Timestamp = timed ? new() { From = shape == 2 || (shape == 3 && unit != TimeUnit.Iso) ? "entry:t" : "header:X-Time", Unit = unit } : null,
                Id = signed.Contains("{id}", StringComparison.Ordinal) ? "header:X-Id" : null,
                Key = new() { Encoding = keyEncoding, Derive = derive, Strip = "whsec_" },
            };
        var credential = Gen.Elements(new SchemeSpec { Kind = "basic" }, new SchemeSpec { Kind = "bearer" },
            new SchemeSpec { Kind = "token", Header = new(["X-Token"]), Prefix = "Token " });
        return Gen.Frequency((9, signature), (1, credential));
    }

    private static string SecretFor(SchemeSpec spec) => spec.Key?.Encoding switch
    {
        KeyEncoding.Base64 => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        KeyEncoding.Hex => "whsec_44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
        _ => spec.Kind == "bearer" ? "a-bearer-token+with/signs==" : "user:It's a Secret to Everybody",
    };

    private static WebhookEdge.Verdicts.Verdict Decide(SchemeHarness harness, IEnumerable<KeyValuePair<string, string>> headers, ReadOnlySequence<byte> body) =>
        harness.Decide(SchemeHarness.Deliver(headers.Select(pair => KeyValuePair.Create(pair.Key, new StringValues(pair.Value))), body));
}
