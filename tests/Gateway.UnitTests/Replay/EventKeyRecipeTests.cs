using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.Replay;

public class EventKeyRecipeTests
{
    [Fact]
    public void The_default_key_is_the_digest_of_length_route_and_body()
    {
        byte[] expected = [0, 0, 0, 3, .. "kyc"u8, .. "{\"a\":1}"u8];

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(expected)), Recipe("kyc").KeyOf(Delivery("{\"a\":1}")).ToString());
        Assert.Equal(Recipe("kyc").KeyOf(Delivery("x")), Recipe("kyc", "body").KeyOf(Delivery("x")));
    }

    [Fact]
    public void Any_cut_of_the_body_into_segments_gives_the_same_key()
    {
        string[][] recipes = [[], ["json:/id", "body"]];
        Prop.ForAll<byte[], int>((tail, cut) =>
        {
            byte[] body = [.. "{\"id\":\"a\\u0062c\",\"n\":\""u8, .. Encoding.ASCII.GetBytes(Convert.ToHexString(tail ?? [])), .. "\"}"u8];
            return recipes.All(parts =>
            {
                var recipe = Recipe("kyc", parts);
                return recipe.KeyOf(Delivery(new ReadOnlySequence<byte>(body))).Equals(recipe.KeyOf(Delivery(Cut(body, 1 + (int)((uint)cut % 9)))));
            });
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_same_body_on_another_route_is_another_event()
    {
        Assert.NotEqual(Recipe("a").KeyOf(Delivery("bc")), Recipe("ab").KeyOf(Delivery("c")));
    }

    [Theory]
    [InlineData("{\"id\":\"1\"}", "{\"id\":1}")]
    [InlineData("{\"id\":1,\"x\":1}", "{\"id\":2,\"x\":1}")]
    [InlineData("{\"x\":1}", "{\"x\":2}")]
    [InlineData("{\"id\":null,\"x\":1}", "{\"id\":null,\"x\":2}")]
    [InlineData("{\"id\":\"\",\"x\":1}", "{\"id\":\"\",\"x\":2}")]
    [InlineData("{\"id\":{},\"x\":1}", "{\"id\":{},\"x\":2}")]
    [InlineData("not json", "nor this")]
    [InlineData("", " ")]
    [InlineData("{\"id\":\"a\"", "{\"id\":\"a\",}")]
    [InlineData("{\"id\":1,\"id\":2}", "{\"id\":1,\"id\":3}")]
    public void Different_ids_and_missing_ids_of_different_bodies_give_different_keys(string one, string two)
    {
        // The last rows: an id in a broken body, or one of two, is no id; what two parsers may read differently is not a key.
        var recipe = Recipe("kyc", "json:/id");

        Assert.False(recipe.KeyOf(Delivery(one)).Equals(recipe.KeyOf(Delivery(two))));
    }

    [Theory]
    [InlineData("json:/id", "{\"id\":\"e1\",\"attempt\":1}", "{\"attempt\":2,\"id\":\"e1\"}")]
    [InlineData("json:/data/0/id", "{\"data\":[{\"id\":true}]}", "{\"data\":[{\"id\":true},2]}")]
    [InlineData("json:/data/1", "{\"data\":[[9],7]}", "{\"x\":{\"data\":0},\"data\":[1,7]}")]
    [InlineData("json:/a~1b/~0", "{\"a/b\":{\"~\":1}}", "{ \"a/b\" : { \"~\" : 1 } }")]
    [InlineData("json:/id", "{\"id\":\"\\u0061\"}", "{\"id\":\"a\"}")]
    public void Bodies_with_the_same_id_are_the_same_event(string part, string one, string two)
    {
        var recipe = Recipe("kyc", part);

        Assert.Equal(recipe.KeyOf(Delivery(one)), recipe.KeyOf(Delivery(two)));
    }

    [Fact]
    public void A_signed_id_makes_the_key_and_without_one_the_body_does()
    {
        var recipe = Recipe("kyc", "id");
        EventKey Key(string? id, string body)
        {
            var delivery = Delivery(body);
            delivery.Proof = new("env:S", id, null);
            return recipe.KeyOf(delivery);
        }

        Assert.Equal(Key("msg_1", "a"), Key("msg_1", "b"));
        Assert.NotEqual(Key("msg_1", "a"), Key("msg_2", "a"));
        Assert.NotEqual(Key(null, "a"), Key(null, "b"));
        Assert.Equal(Key("", "a"), Key(null, "a"));
        Assert.NotEqual(Key(null, "a"), Key("a", "a"));
        Assert.Equal(Key(null, "a"), recipe.KeyOf(Delivery("a")));
    }

    [Fact]
    public void Parts_are_kept_apart()
    {
        var recipe = Recipe("kyc", "header:X-A", "header:X-B");
        EventKey Key(string? a, string? b)
        {
            var headers = new HeaderDictionary();
            headers["X-A"] = a;
            headers["X-B"] = b;
            return recipe.KeyOf(Delivery("body", headers));
        }

        Assert.NotEqual(Key("ab", "c"), Key("a", "bc"));
        Assert.NotEqual(Key("a", null), Key(null, "a"));
        Assert.NotEqual(Key("body", "x"), Key(null, "x"));
        Assert.Equal(Key("a", "ü"), Key("a", "ü"));
    }

    [Fact]
    public void A_header_on_two_lines_is_no_id()
    {
        var recipe = Recipe("kyc", "header:X-A");
        var headers = new HeaderDictionary { ["X-A"] = new(["1", "2"]) };

        Assert.Equal(recipe.KeyOf(Delivery("b")), recipe.KeyOf(Delivery("b", headers)));
    }

    [Theory]
    [InlineData("jsn:/a")]
    [InlineData("json:a")]
    [InlineData("json:")]
    [InlineData("header:")]
    [InlineData("header:a b")]
    [InlineData("Body")]
    [InlineData("")]
    public void An_unknown_part_is_a_problem_at_its_place(string part)
    {
        var problems = new List<ConfigProblem>();

        EventKeyRecipe.Compile("kyc", ["body", part], "routes.kyc.replay.key", problems);

        var problem = Assert.Single(problems);
        Assert.Equal("routes.kyc.replay.key[1]", problem.Path);
        Assert.False(problem.IsWarning);
        Assert.NotNull(problem.Hint);
    }

    [Fact]
    public void A_header_is_accepted_and_no_parts_at_all_are_refused()
    {
        var problems = new List<ConfigProblem>();

        EventKeyRecipe.Compile("kyc", ["header:X-Id"], "k", problems);
        EventKeyRecipe.Compile("kyc", [], "e", problems);

        Assert.Equal([("e", false)], problems.Select(p => (p.Path, p.IsWarning)));
    }

    [Fact]
    public void A_key_and_its_hex_text_are_one()
    {
        Prop.ForAll<byte[]>(bytes =>
        {
            var key = new EventKey(SHA256.HashData(bytes ?? []));
            return EventKey.TryParse(key.ToString(), out var parsed) && parsed.Equals(key) && parsed.GetHashCode() == key.GetHashCode()
                && key.ToString().Length == 64;
        }).QuickCheckThrowOnFailure();
        Assert.False(EventKey.TryParse(new string('g', 64), out _));
        Assert.False(EventKey.TryParse(new string('a', 63), out _));
        Assert.False(EventKey.TryParse(new string('a', 66), out _));
    }

    [Fact]
    public void Making_a_key_allocates_nothing()
    {
        var recipes = new[] { Recipe("kyc"), Recipe("kyc", "json:/data/0/id", "id", "header:X-Id", "body") };
        var delivery = Delivery(Cut(Encoding.UTF8.GetBytes("{\"data\":[{\"id\":\"4b3d\"}],\"more\":\"" + new string('x', 4_000) + "\"}"), 700),
            new HeaderDictionary { ["X-Id"] = new string('h', 600) });
        delivery.Proof = new("env:S", "msg_1", null);
        void Run()
        {
            for (var i = 0; i < 200; i++)
            {
                foreach (var recipe in recipes)
                {
                    recipe.KeyOf(delivery);
                }
            }
        }

        Run();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static EventKeyRecipe Recipe(string routeId, params string[] parts)
    {
        var problems = new List<ConfigProblem>();
        var recipe = EventKeyRecipe.Compile(routeId, parts.Length == 0 ? null : parts, "key", problems);
        Assert.DoesNotContain(problems, p => !p.IsWarning);
        return recipe;
    }

    private static Delivery Delivery(string body, HeaderDictionary? headers = null) =>
        Delivery(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(body)), headers);

    private static Delivery Delivery(ReadOnlySequence<byte> body, HeaderDictionary? headers = null)
    {
        var delivery = new Delivery();
        delivery.Open(RoutePolicy.None, "POST", "/", default, headers ?? new HeaderDictionary(), null, PipeReader.Create(Stream.Null));
        delivery.HoldBody(body);
        return delivery;
    }

    private static ReadOnlySequence<byte> Cut(byte[] body, int size) => Segments.Cut(body, Enumerable.Range(1, body.Length / size).Select(i => i * size));
}
