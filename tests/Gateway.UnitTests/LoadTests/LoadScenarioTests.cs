using System.Text.Json;
using WebhookEdge.Cli;
using WebhookEdge.LoadTests;
using WebhookEdge.Routes;

namespace WebhookEdge.UnitTests.LoadTests;

public sealed class LoadScenarioTests
{
    private static readonly byte[] Secret = "a secret of the load test, 32 by"u8.ToArray();

    [Fact]
    public void Every_mix_is_there_for_every_body_under_a_name_of_its_own()
    {
        Assert.Equal(
            from body in new[] { "github-600", "github-12k", "real-id", "cr3dentials", "verisync" } from mix in new[] { "valid", "forged", "wrong-address",
                "replayed", "mixed" } select $"{mix}/{body}",
            LoadScenario.All.Select(scenario => scenario.Name));
    }

    [Fact]
    public void A_mix_keeps_its_proportions_and_has_no_long_stretch_of_one_kind()
    {
        var mixed = LoadScenario.All.First(scenario => scenario.Mix == "mixed");

        var kinds = Enumerable.Range(0, 200).Select(mixed.KindOf).ToArray();

        Assert.Equal(
            new Dictionary<RequestKind, int> { [RequestKind.Valid] = 140, [RequestKind.Forged] = 30, [RequestKind.WrongAddress] = 10,
                [RequestKind.Replayed] = 20 },
            kinds.CountBy(kind => kind).ToDictionary());
        Assert.DoesNotContain(Enumerable.Range(0, 194), start => kinds.Skip(start).Take(6).All(kind => kind == RequestKind.Valid));
    }

    [Fact]
    public void A_bank_holds_as_many_different_authentic_events_as_its_run_sends()
    {
        var mixed = LoadScenario.All.First(scenario => scenario.Mix == "mixed");
        var bank = new RequestBank(mixed, Secret, count: 1000, seed: 3);

        var taken = Enumerable.Range(0, 1000).Select(bank.Take).ToArray();

        var valid = taken.Where(request => request.Kind == RequestKind.Valid).ToArray();
        Assert.Equal((700, 700), (valid.Length, valid.Select(request => Convert.ToHexString(request.Request.Body)).Distinct().Count()));
        var replayed = taken.Where(request => request.Kind == RequestKind.Replayed).Select(request => Convert.ToHexString(request.Request.Body)).ToHashSet();
        Assert.Subset(bank.Prelude.Select(request => Convert.ToHexString(request.Request.Body)).ToHashSet(), replayed);
        Assert.Empty(replayed.Intersect(valid.Select(request => Convert.ToHexString(request.Request.Body))));
        Assert.All(taken.Where(request => request.Kind == RequestKind.WrongAddress), request => Assert.Equal("/elsewhere/github", request.Request.Path));
    }

    [Fact]
    public void Bodies_are_compact_JSON_of_the_size_they_say()
    {
        foreach (var body in EventBody.All)
        {
            var bytes = body.Make(seed: 5, number: 77);

            Assert.Equal(body.Size, bytes.Length);
            using var json = JsonDocument.Parse(bytes);
            Assert.Equal(JsonSerializer.Serialize(json), System.Text.Encoding.UTF8.GetString(bytes));
            Assert.Contains("evt_00000005_0000004d", System.Text.Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
        }

        Assert.Equal((600, 12 * 1024), (EventBody.GitHubSmall.Size, EventBody.GitHubLarge.Size));
        Assert.InRange(EventBody.Verisync.Size, 14_000, 16_000);
    }

    [Theory]
    [InlineData(false, false, 8)]
    [InlineData(true, false, 8)]
    [InlineData(false, true, 1000)]
    public async Task The_routes_of_the_scenarios_are_a_valid_configuration(bool redis, bool grown, int routes)
    {
        await using var gateway = new OfflineGateway();

        var loaded = await gateway.Loader.LoadAsync(LoadRoutes.Write("http://127.0.0.1:9000", "1s", redis, grown), CompileMode.WithoutSecrets,
            CancellationToken.None);

        Assert.DoesNotContain(loaded.Problems, problem => !problem.IsWarning);
        Assert.Equal(routes, loaded.Compiled!.Routes.Count);
    }
}
