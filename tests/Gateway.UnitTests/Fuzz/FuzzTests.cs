using System.Buffers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using WebhookEdge.AllowLists;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.TestKit;
using WebhookEdge.UnitTests.Authentication;
using WebhookEdge.UnitTests.Routes.Rules;
using WebhookEdge.Verdicts;
using Xunit.Abstractions;

namespace WebhookEdge.UnitTests.Fuzz;

/// <summary>Changed corpus files against the parsers: <c>FUZZ_SECONDS=60 dotnet test tests/Gateway.UnitTests --filter Fuzz</c> for a longer run.</summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private static readonly string Corpus = Path.Combine(RepositoryRoot.Path, "tests", "corpus");

    [Fact]
    public void Signatures_are_judged_as_a_naive_strict_oracle_judges_them_however_the_body_is_cut()
    {
        var seeds = SignatureSeeds().ToList();
        Assert.NotEmpty(seeds);
        var run = new FuzzRun(output, 0.55);
        var accepted = 0;
        while (run.Next())
        {
            var (harness, oracle, start) = run.Pick(seeds);
            var request = start;
            for (var changes = run.Random.Next(4); changes > 0; changes--)
            {
                request = Change(run, request, seeds);
            }

            if (run.Random.Next(2) == 0)
            {
                request = SignAnew(oracle, harness.Spec, request);
            }

            harness.Clock = DateTimeOffset.FromUnixTimeSeconds(request.Now);
            var verdict = Decide(harness, request, new(request.Body));

            Assert.True(oracle.Accepts(request) == verdict.Passed, $"{run.Where}: {verdict}\n{Show(harness.Spec, request)}");
            var cut = Decide(harness, request,
                Segments.Cut(request.Body, [.. Enumerable.Range(0, run.Random.Next(5)).Select(_ => run.Random.Next(request.Body.Length + 1))]));
            Assert.True(cut == verdict, $"{run.Where}: cut {cut}, whole {verdict}\n{Show(harness.Spec, request)}");
            accepted += verdict.Passed ? 1 : 0;
        }

        // A fuzzer whose every case is refused at the door tests the door only.
        Assert.NotEqual(0, accepted);
    }

    [Fact]
    public void A_pointer_finds_in_a_cut_document_what_it_finds_in_the_whole_and_what_a_document_model_finds()
    {
        string[] pointers = ["", "/id", "/data/id", "/event/id", "/items/0", "/items/1/id", "/a~1b", "/", "/0", "/type"];
        string[] documents =
        [
            """{"id":"evt_1","data":{"id":2},"items":["x",{"id":true}],"a/b":null,"":1.50,"type":"Zo\u00eb"}""", """["a",{"0":1}]""", "3", "\"text\"",
            """{"event":{"id":"\ud83d\ude00"},"id":[1,2,3],"type":"a\\\"b"}""",
            .. VendorVector.All.Select(name => VendorVector.Load(name).Body).Where(body => body.Length > 0).Distinct(),
        ];
        var run = new FuzzRun(output, 0.15);
        while (run.Next())
        {
            var bytes = Encoding.UTF8.GetBytes(run.Pick(documents));
            for (var changes = run.Random.Next(4); changes > 0; changes--)
            {
                bytes = run.Mutate(bytes);
            }

            Assert.True(JsonPointer.TryParse(run.Pick(pointers), out var pointer));
            var whole = Find(pointer, new(bytes));
            var cut = Find(pointer, Segments.Cut(bytes, [.. Enumerable.Range(0, run.Random.Next(6)).Select(_ => run.Random.Next(bytes.Length + 1))]));

            Assert.True(whole == cut, $"{run.Where}: {pointer} whole {whole}, cut {cut} in {Encoding.UTF8.GetString(bytes)}");
            Assert.True(whole == Model(pointer.Text, bytes),
                $"{run.Where}: {pointer} {whole}, by the model {Model(pointer.Text, bytes)} in {Encoding.UTF8.GetString(bytes)}");
        }
    }

    [Fact]
    public void Any_routes_file_is_either_read_or_has_a_problem_to_show()
    {
        var files = Directory.GetFiles(Path.Combine(Corpus, "routes-json"), "*.json").Order(StringComparer.Ordinal).Select(File.ReadAllBytes).ToList();
        Assert.NotEmpty(files);
        var run = new FuzzRun(output, 0.15);
        while (run.Next())
        {
            var bytes = run.Pick(files);
            for (var changes = run.Random.Next(1, 5); changes > 0; changes--)
            {
                bytes = run.Mutate(bytes);
            }

            var (file, problems) = RoutesSamples.Read(bytes);
            Assert.True(file is not null || problems.Any(problem => !problem.IsWarning),
                $"{run.Where}: refused without a word\n{Encoding.UTF8.GetString(bytes)}");
            Assert.True(file is null || problems.All(problem => problem.IsWarning), $"{run.Where}: read in spite of {string.Join('\n', problems)}");
            Assert.All(problems, problem => Assert.False(string.IsNullOrWhiteSpace(problem.Message)));
        }
    }

    [Fact]
    public void Any_address_list_is_sound_or_refused_with_a_fault()
    {
        var files = Directory.GetFiles(Path.Combine(Corpus, "ip-ranges"), "*.json").Order(StringComparer.Ordinal)
            .Select(file => IpRangesCorpusTests.Split(File.ReadAllBytes(file)).Json).ToList();
        Assert.NotEmpty(files);
        var run = new FuzzRun(output, 0.15);
        while (run.Next())
        {
            var bytes = run.Pick(files);
            for (var changes = run.Random.Next(1, 5); changes > 0; changes--)
            {
                bytes = run.Mutate(bytes);
            }

            if (AwsIpRanges.TryParse(bytes, out var ranges, out var fault))
            {
                Assert.All(ranges!.Prefixes,
                    prefix => Assert.True(prefix.Network.PrefixLength >= 8 && AddressParser.TryParseNetwork(prefix.Network.ToString(), out _, out _),
                    $"{run.Where}: {prefix}"));
            }
            else
            {
                Assert.False(string.IsNullOrWhiteSpace(fault), run.Where);
            }

            if (JsonAddressDocument.TryParse(bytes, out var document, out fault) && JsonListPointer.TryParse("/prefixes/*/ip_prefix", out var pointer, out _))
            {
                Assert.True(document!.TrySelect(new([], [], pointer), out var cut, out fault) ? cut.Networks.All(network => network.PrefixLength >= 8)
                    : fault.Length > 0, run.Where);
            }
            else
            {
                Assert.False(string.IsNullOrWhiteSpace(fault), run.Where);
            }
        }
    }

    private static IEnumerable<(SchemeHarness Harness, NaiveOracle Oracle, WireRequest Request)> SignatureSeeds()
    {
        foreach (var name in VendorVector.OfData())
        {
            var vector = VendorVector.Load(name);
            var scheme = vector.SchemeOf(name);
            yield return (SchemeHarness.CreateAt(vector.PublicUrl, vector.Path, scheme, vector.Secret),
                new(scheme, vector.Secret, vector.PublicUrl + vector.Path),
                new([.. vector.Headers], Encoding.UTF8.GetBytes(vector.Body), vector.Method, vector.Path, vector.Now));
        }

        foreach (var name in SignatureHeaderCase.Names)
        {
            var item = SignatureHeaderCase.Load(name);
            yield return (SchemeHarness.CreateAt(SignatureHeaderCase.PublicUrl, item.Path, item.Scheme, item.Secret),
                new(item.Scheme, item.Secret, SignatureHeaderCase.PublicUrl + item.Path),
                new(item.Headers, item.Body, "POST", item.Path, SignatureHeaderCase.Now));
        }
    }

    private static WireRequest Change(FuzzRun run, WireRequest request, List<(SchemeHarness Harness, NaiveOracle Oracle, WireRequest Request)> seeds)
    {
        var headers = request.Headers.ToList();
        var at = headers.Count == 0 ? -1 : run.Random.Next(headers.Count);
        switch (run.Random.Next(10))
        {
            case 0:
                return request with { Body = run.Mutate(request.Body) };
            case 1:
                return request with { Now = request.Now + run.Random.Next(-700, 700) };
            case 2 when at >= 0:
                headers.Add(headers[at]);
                break;
            case 3 when at >= 0:
                headers.RemoveAt(at);
                break;
            case 4 when at >= 0 && request.Body.Length > 0:
                // The border between a header and the body, moved by a byte.
                headers[at] = new(headers[at].Key,
                    run.Random.Next(2) == 0 ? headers[at].Value + (char)request.Body[0] : (char)request.Body[^1] + headers[at].Value);
                return request with { Headers = headers, Body = run.Random.Next(2) == 0 ? request.Body[1..] : request.Body[..^1] };
            case 5 when at >= 0 && run.Pick(seeds).Request.Headers is { Count: > 0 } others:
                headers[at] = new(headers[at].Key, run.Pick(others).Value);
                break;
            case 6:
                return request with { Target = run.Mutate(request.Target) is { Length: > 0 } target ? target : "/" };
            default:
                if (at >= 0)
                {
                    headers[at] = new(headers[at].Key, run.Mutate(headers[at].Value));
                }

                break;
        }

        return request with { Headers = headers };
    }

    /// <summary>
    /// The request with a signature that is right for what has become of it, where there is a place to put one: only strictness can refuse it now.
    /// </summary>
    private static WireRequest SignAnew(NaiveOracle oracle, SchemeSpec scheme, WireRequest request)
    {
        if (scheme.Kind is "token" or "basic" or "bearer" || oracle.Signatures(request, out _) is not [{ Length: > 0 } old, ..]
            || oracle.Sign(request) is not { } right)
        {
            return request;
        }

        return request with { Headers = [.. request.Headers.Select(header =>
            KeyValuePair.Create(header.Key, header.Value.Replace(old, right, StringComparison.Ordinal)))] };
    }

    private static Verdict Decide(SchemeHarness harness, WireRequest request, ReadOnlySequence<byte> body) =>
        harness.Decide(SchemeHarness.Deliver(
            request.Headers.GroupBy(header => header.Key, StringComparer.OrdinalIgnoreCase)
            .Select(lines => KeyValuePair.Create(lines.Key, new StringValues([.. lines.Select(line => line.Value)]))),
            body,
            request.Method,
            request.Target));

    private static string Show(SchemeSpec scheme, WireRequest request) =>
        JsonSerializer.Serialize(new { scheme, request.Headers, Body = Convert.ToBase64String(request.Body), request.Target, request.Now }, StrictJson.Options);

    private static string Find(JsonPointer pointer, ReadOnlySequence<byte> json)
    {
        Span<byte> value = stackalloc byte[256];
        var kind = pointer.Find(json, value, out var written);
        return $"{kind} {Convert.ToHexString(value[..written])}";
    }

    /// <summary>What stands there by System.Text.Json's document model, where no key on the way occurs twice.</summary>
    private static string Model(string pointer, byte[] json)
    {
        const string None = "None ";
        try
        {
            using var document = JsonDocument.Parse(json);
            var at = document.RootElement;
            foreach (var segment in pointer.Length == 0 ? []
                : pointer[1..].Split('/').Select(part => part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))
            {
                if (at.ValueKind == JsonValueKind.Object)
                {
                    var values = at.EnumerateObject().Where(property => property.NameEquals(segment)).ToList();
                    if (values.Count != 1)
                    {
                        return None;
                    }

                    at = values[0].Value;
                }
                else if (at.ValueKind == JsonValueKind.Array && int.TryParse(segment, System.Globalization.NumberStyles.None, null, out var index)
                    && index.ToString(System.Globalization.CultureInfo.InvariantCulture) == segment && index < at.GetArrayLength())
                {
                    at = at[index];
                }
                else
                {
                    return None;
                }
            }

            return at.ValueKind switch
            {
                JsonValueKind.String => Text(at),
                JsonValueKind.Number => Scalar(JsonScalar.Number, at.GetRawText()),
                JsonValueKind.True => "True ",
                JsonValueKind.False => "False ",
                JsonValueKind.Null => "Null ",
                _ => None,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return None;
        }

        static string Text(JsonElement at) => Encoding.UTF8.GetByteCount(at.GetRawText()) - 2 > 256 ? None : Scalar(JsonScalar.String, at.GetString()!);

        static string Scalar(JsonScalar kind, string text) =>
            Encoding.UTF8.GetByteCount(text) > 256 ? None : $"{kind} {Convert.ToHexString(Encoding.UTF8.GetBytes(text))}";
    }
}
