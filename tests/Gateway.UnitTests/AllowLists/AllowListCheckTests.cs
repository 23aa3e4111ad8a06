using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using WebhookEdge.AllowLists;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.AllowLists;

public sealed class AllowListCheckTests : IDisposable
{
    private readonly Meter _meter = new("test");
    private readonly string _file = Path.GetTempFileName();

    public void Dispose()
    {
        _meter.Dispose();
        File.Delete(_file);
    }

    [Theory]
    [InlineData("203.0.113.9", true)]
    [InlineData("198.51.100.9", true)]
    [InlineData("192.0.2.9", false)]
    public async Task Lets_in_the_literal_addresses_and_those_of_any_list(string client, bool passes)
    {
        var delivery = From(client);

        var verdict = await Decide(new AllowListCheck(Of("203.0.113.0/24"), [Loaded("198.51.100.0/24")]), delivery);

        Assert.Equal(passes, verdict.Passed);
        Assert.Equal(passes ? TrustLevel.AddressOnly : TrustLevel.Observed, delivery.Trust);
        Assert.Equal(passes ? RejectReason.NotDecided : RejectReason.AddressNotAllowed, verdict.Reason);
    }

    [Fact]
    public async Task Refuses_an_unknown_client_even_where_everyone_may_come() =>
        Assert.Equal(RejectReason.AddressUnknown, (await Decide(new AllowListCheck(Of("0.0.0.0/0", "::/0"), []), From(null))).Reason);

    [Fact]
    public async Task Asks_the_sender_to_come_back_while_a_list_was_never_loaded()
    {
        var check = new AllowListCheck(Of("203.0.113.0/24"), [Loaded("198.51.100.0/24"), NeverLoaded()]);

        var verdict = await Decide(check, From("192.0.2.9"));

        Assert.Equal(RejectReason.AllowListUnavailable, verdict.Reason);
        Assert.Equal(TimeSpan.FromSeconds(5), verdict.RetryAfter);
        Assert.True((await Decide(check, From("203.0.113.9"))).Passed);
        Assert.True((await Decide(check, From("198.51.100.9"))).Passed);
    }

    [Fact]
    public async Task Refuses_everyone_when_it_was_given_nothing() =>
        Assert.Equal(RejectReason.AddressNotAllowed, (await Decide(new AllowListCheck(CidrSet.Empty, []), From("192.0.2.9"))).Reason);

    [Theory]
    [InlineData("203.0.113.9")]
    [InlineData("192.0.2.9")]
    [InlineData(null)]
    public async Task Allocates_nothing(string? client)
    {
        var check = new AllowListCheck(Of("203.0.113.0/24"), [Loaded("198.51.100.0/24")]);
        var delivery = From(client);
        var expected = await Decide(check, delivery);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var same = true;
        for (var i = 0; i < 100; i++)
        {
            same &= (await check.CheckAsync(delivery, default)).Reason == expected.Reason;
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(same);
    }

    private static ValueTask<Verdict> Decide(AllowListCheck check, Delivery delivery)
    {
        Assert.Equal(Stage.Address, check.Stage);
        var verdict = check.CheckAsync(delivery, default);
        Assert.True(verdict.IsCompletedSuccessfully);
        return verdict;
    }

    private static CidrSet Of(params string[] networks) => CidrSet.Create(networks.Select(network => IPNetwork.Parse(network)));

    private static Delivery From(string? client)
    {
        var delivery = new Delivery();
        var address = ClientAddress.From(client is null ? null : IPAddress.Parse(client));
        delivery.Open(RoutePolicy.None, "POST", "/hooks", address, Delivery.EmptyHeaders, 0, PipeReader.Create(Stream.Null));
        return delivery;
    }

    private AddressList Loaded(string network)
    {
        File.WriteAllText(_file, $$"""{ "nets": ["{{network}}"] }""");
        var list = Pool().Get(AddressListNeed.Json("file:" + _file, "/nets", TimeSpan.FromHours(1)));
        Assert.NotNull(list.Current);
        return list;
    }

    private AddressList NeverLoaded() => Pool().Get(AddressListNeed.Json("https://lists.example.com/nets.json", "/nets", TimeSpan.FromHours(1)));

    private AddressListPool Pool() =>
        new(new HttpMessageInvoker(new HttpClientHandler()), TimeProvider.System, NullLogger<AddressListPool>.Instance, new AddressMetrics(_meter));
}
