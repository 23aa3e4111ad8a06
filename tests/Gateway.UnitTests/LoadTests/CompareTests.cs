using WebhookEdge.LoadTests;

namespace WebhookEdge.UnitTests.LoadTests;

public sealed class CompareTests
{
    private static readonly Contender Checking = Contender.All.Single(contender => contender.Id == Contender.GatewayId);
    private static readonly Contender NotForwarding = Contender.All.Single(contender => !contender.Forwards);

    [Theory]
    [InlineData("Valid", 1000, 0, 1000)]
    [InlineData("Valid", 1000, 0, 1064)]
    [InlineData("Forged", 1000, 1000, 0)]
    [InlineData("WrongAddress", 1000, 1000, 0)]
    public void Right_answers_are_accepted(string kind, long requests, long refused, long forwarded) =>
        Assert.Null(Record.Exception(() =>
            CompareRun.Judge(Checking, Enum.Parse<RequestKind>(kind), new(requests, TimeSpan.FromSeconds(1), refused, SocketErrors: 0, StartedOver: 0),
            forwarded)));

    [Theory]
    [InlineData("Valid", 1000, 1, 0, 1000, "1 of 1000 answers were refusals")]
    [InlineData("Valid", 1000, 0, 0, 999, "came round to the same request too soon")]
    [InlineData("Valid", 1000, 0, 0, 2000, "2000 forwarded")]
    [InlineData("Valid", 1000, 0, 1, 1000, "1 socket errors")]
    [InlineData("Valid", 0, 0, 0, 0, "0 requests")]
    [InlineData("Forged", 1000, 999, 0, 0, "1000 would be right")]
    [InlineData("Forged", 1000, 1000, 0, 1, "1 forwarded")]
    [InlineData("WrongAddress", 1000, 0, 0, 1000, "1000 would be right")]
    public void A_wrong_answer_means_no_table(string kind, long requests, long refused, long socketErrors, long forwarded, string expected)
    {
        var fault = Assert.Throws<CompareFault>(() => CompareRun.Judge(Checking, Enum.Parse<RequestKind>(kind), new(requests, TimeSpan.FromSeconds(1), refused, socketErrors, StartedOver: 0), forwarded));

        Assert.Contains(expected, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_forwards_nothing_is_held_to_that()
    {
        Assert.Null(Record.Exception(() => CompareRun.Judge(NotForwarding, RequestKind.Valid, new(10, TimeSpan.FromSeconds(1), 0, 0, 0), forwarded: 0)));
        Assert.Throws<CompareFault>(() => CompareRun.Judge(NotForwarding, RequestKind.Valid, new(10, TimeSpan.FromSeconds(1), 0, 0, 0), forwarded: 10));
    }

    [Fact]
    public void What_wrk_prints_is_read_and_what_it_does_not_print_is_missed()
    {
        const string Output = "Running 1s test @ http://127.0.0.1:1\n  Latency 1ms\nrequests 21300\nduration 1001000 us\nnot 2xx or 3xx 12\nsocket errors "
            + "3\nstarted over 1\np50 10 us\n";

        Assert.Equal(new(21300, TimeSpan.FromMilliseconds(1001), 12, 3, 1), Wrk.Parse(Output));
        Assert.Throws<CompareFault>(() => Wrk.Parse(Output.Replace("socket errors 3", "", StringComparison.Ordinal)));
    }

    [Fact]
    public void What_the_kernel_says_of_a_process_is_read_past_its_name() =>
        Assert.Equal((7, 150), ProcessTree.ParseStat("42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 100 50 9 9 20 0 1 0 5 0 0"));

    [Fact]
    public void What_nginx_says_of_itself_is_read() =>
        Assert.Equal(31070465,
            UpstreamCounter.Parse("Active connections: 291 \nserver accepts handled requests\n 16630948 16630948 31070465 \nReading: 6 Writing: 179 "
            + "Waiting: 106 \n"));

    [Fact]
    public void What_the_kernel_says_of_its_cores_is_read() =>
        Assert.Equal((90, 200), Machine.ParseStat("cpu  50 10 20 80 10 15 10 5 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"));

    [Fact]
    public void The_middle_of_rounds_is_a_median()
    {
        Assert.Equal(new(2, 1, 9), Spread.Of([9, 1, 2]));
        Assert.Equal(new(3, 1, 9), Spread.Of([9, 1, 2, 4]));
        Assert.True(double.IsNaN(Spread.Of([]).Median));
    }

    [Fact]
    public void Ratios_are_taken_round_by_round_and_goals_held_against_them()
    {
        var measured = new Measurements();
        var yarp = new Drive(Contender.BareYarpId, 600, RequestKind.Valid);
        var gateway = yarp with { Contender = Contender.GatewayId };

        // A machine that became half as slow again in the second round; the ratio is 0.5 all the same.
        foreach (var slow in new[] { 1, 1.5, 1, 1, 1 })
        {
            measured.Add(yarp, new(TimeSpan.FromMicroseconds(40 * slow), 25_000));
            measured.Add(gateway, new(TimeSpan.FromMicroseconds(20 * slow), 50_000));
            measured.Add(gateway with { Kind = RequestKind.Forged }, new(TimeSpan.FromMicroseconds(16 * slow), 60_000));
        }

        Assert.Equal(new(0.5, 0.5, 0.5), measured.CpuRatio(gateway, yarp));
        var table = CompareReport.Markdown(Plan(rounds: 5), measured, "A machine", "versions", DateTimeOffset.UnixEpoch, busyBefore: 0.01);

        Assert.StartsWith("Measured 1970-01-01. A machine. versions.", table, StringComparison.Ordinal);
        Assert.Contains("| WebhookEdge: address, HMAC, replay in memory | 0.50 (0.50–0.50) |", table, StringComparison.Ordinal);
        Assert.Contains("CPU against bare YARP | 600 B | ≤ 0.6 | 0.50 | met |", table, StringComparison.Ordinal);
        Assert.Contains("forged, requests per core against valid | 600 B | ≥ 2.2 | 1.25 | missed |", table, StringComparison.Ordinal);
        Assert.DoesNotContain("SET NX |", table, StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_from_a_quick_try_says_that_it_is_not_to_be_quoted()
    {
        var table = CompareReport.Markdown(Plan(rounds: 1) with { WarmUp = TimeSpan.FromSeconds(1) }, new(), "m", "v", DateTimeOffset.UnixEpoch,
            busyBefore: 0.25);

        Assert.StartsWith("**Not to be quoted:** fewer than 5 rounds; .NET contenders warmed up for less than 10 s; something else kept 25 % of the machine "
            + "busy before it began", table, StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_from_a_machine_that_was_not_steady_says_that_it_is_not_to_be_quoted()
    {
        var measured = new Measurements();
        foreach (var microseconds in new[] { 36, 57, 84, 40, 38 })
        {
            measured.Add(new(Contender.BareYarpId, 600, RequestKind.Valid), new(TimeSpan.FromMicroseconds(microseconds), 25_000));
        }

        var table = CompareReport.Markdown(Plan(rounds: 5), measured, "m", "v", DateTimeOffset.UnixEpoch, busyBefore: 0);

        Assert.StartsWith("**Not to be quoted:** yarp took from 36 to 84 µs for 600 B, so the machine was not steady.", table, StringComparison.Ordinal);
    }

    private static ComparePlan Plan(int rounds) => new()
    {
        Contenders = Contender.All, Sizes = [600], Rounds = rounds, Round = TimeSpan.FromSeconds(4), WarmUp = TimeSpan.FromSeconds(12), Latency = true,
    };
}
