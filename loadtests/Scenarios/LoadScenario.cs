namespace WebhookEdge.LoadTests;

/// <summary>What a request is to the gateway, and so which answer is the right one.</summary>
internal enum RequestKind
{
    /// <summary>Authentic and new: forwarded.</summary>
    Valid,

    /// <summary>A well-formed signature that does not match.</summary>
    Forged,

    /// <summary>Authentic, to a route that takes requests from other addresses than ours.</summary>
    WrongAddress,

    /// <summary>A copy of an event that was delivered before the clock started.</summary>
    Replayed,
}

/// <summary>The answer a request must get. Any other counts as an error of the run.</summary>
internal readonly record struct ExpectedAnswer(int Status, bool Duplicate)
{
    public static ExpectedAnswer To(RequestKind kind) => kind switch
    {
        RequestKind.Valid => new(200, Duplicate: false),
        RequestKind.Forged => new(401, Duplicate: false),
        RequestKind.WrongAddress => new(403, Duplicate: false),
        _ => new(200, Duplicate: true),
    };
}

/// <summary>When a run has failed.</summary>
/// <param name="P99">Longest time 99 % of the requests may take, from the moment they were due.</param>
/// <param name="MinRate">Part of the wanted rate that must be reached, 0 to 1.</param>
/// <param name="MaxErrors">Part of the requests that may get a wrong answer or none, 0 to 1.</param>
internal sealed record Thresholds(TimeSpan P99, double MinRate = 0.98, double MaxErrors = 0);

/// <summary>One of a mix of kinds and how often it comes.</summary>
internal readonly record struct Share(RequestKind Kind, int Parts);

/// <summary>
/// A scenario, defined once and run by two runners: our own and NBomber. It is a mix of kinds of requests over one provider's body;
/// which request comes when depends on its number alone.
/// </summary>
internal sealed class LoadScenario
{
    private readonly RequestKind[] _turns;

    public LoadScenario(string mix, string description, EventBody body, Thresholds thresholds, params IReadOnlyList<Share> shares)
    {
        Mix = mix;
        Name = $"{mix}/{body.Name}";
        Description = description;
        Body = body;
        Thresholds = thresholds;
        _turns = Spread(shares);
    }

    public static IReadOnlyList<LoadScenario> All { get; } = [.. EventBody.All.SelectMany(static body => new LoadScenario[]
    {
        new("valid", "authentic events, each new", body, new(TimeSpan.FromMilliseconds(50)), new Share(RequestKind.Valid, 1)),
        new("forged", "right form, wrong signature", body, new(TimeSpan.FromMilliseconds(50)), new Share(RequestKind.Forged, 1)),
        new("wrong-address", "authentic, from an address that is not in the list", body, new(TimeSpan.FromMilliseconds(50)), new Share(RequestKind.WrongAddress, 1)),
        new("replayed", "copies of delivered events", body, new(TimeSpan.FromMilliseconds(50)), new Share(RequestKind.Replayed, 1)),
        new("mixed", "a bad day: of 20 events 14 are authentic, 3 forged, 1 from a wrong address, 2 copies", body, new(TimeSpan.FromMilliseconds(50)),
            new Share(RequestKind.Valid, 14), new Share(RequestKind.Forged, 3), new Share(RequestKind.WrongAddress, 1), new Share(RequestKind.Replayed, 2)),
    })];

    /// <summary><c>mix/body</c>, e.g. <c>valid/github-600</c>.</summary>
    public string Name { get; }

    public string Mix { get; }

    public string Description { get; }

    public EventBody Body { get; }

    public Thresholds Thresholds { get; }

    public RequestKind KindOf(int number) => _turns[number % _turns.Length];

    public bool Has(RequestKind kind) => Array.IndexOf(_turns, kind) >= 0;

    /// <summary>The kinds interleaved as evenly as they go, so that no stretch of a run is of one kind only.</summary>
    private static RequestKind[] Spread(IReadOnlyList<Share> shares)
    {
        var turns = new RequestKind[shares.Sum(static share => share.Parts)];
        var given = new int[shares.Count];
        for (var turn = 0; turn < turns.Length; turn++)
        {
            var next = Enumerable.Range(0, shares.Count).MaxBy(i => ((double)shares[i].Parts * (turn + 1) / turns.Length) - given[i]);
            given[next]++;
            turns[turn] = shares[next].Kind;
        }

        return turns;
    }
}
