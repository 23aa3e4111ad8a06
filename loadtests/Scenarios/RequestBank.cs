namespace WebhookEdge.LoadTests;

/// <summary>One request, ready, with the answer it must get.</summary>
internal readonly record struct PreparedRequest(RequestKind Kind, SignedRequest Request, ExpectedAnswer Expected);

/// <summary>
/// Every request of a run, made and signed before the clock starts. Authentic events are all different; of the others a few hundred are enough,
/// since it makes no difference to the gateway whether it has refused one before.
/// </summary>
internal sealed class RequestBank
{
    private const int Reused = 256;

    private readonly LoadScenario _scenario;
    private readonly SignedRequest[] _valid;
    private readonly Dictionary<RequestKind, PreparedRequest[]> _reused = [];
    private int _nextValid = -1;

    /// <param name="count">Requests of the whole run; asking for more throws.</param>
    /// <param name="seed">Another seed for every run against the same replay store.</param>
    public RequestBank(LoadScenario scenario, byte[] secret, int count, int seed)
    {
        _scenario = scenario;
        var style = scenario.Body.Style;
        var requests = new SignedRequests(scenario.Body, secret, LoadRoutes.PathOf(style), seed);
        var valid = 0;
        for (var number = 0; number < count; number++)
        {
            valid += scenario.KindOf(number) == RequestKind.Valid ? 1 : 0;
        }

        _valid = new SignedRequest[valid];
        for (var number = 0; number < valid; number++)
        {
            _valid[number] = requests.Make(number);
        }

        var others = new SignedRequests(scenario.Body, secret, LoadRoutes.PathOf(style), ~seed);
        var elsewhere = new SignedRequests(scenario.Body, secret, LoadRoutes.ElsewhereOf(style), ~seed);
        foreach (var kind in new[] { RequestKind.Forged, RequestKind.WrongAddress, RequestKind.Replayed })
        {
            if (scenario.Has(kind))
            {
                _reused[kind] = [.. Enumerable.Range(0, Reused).Select(number => Prepare(kind, kind switch
                {
                    RequestKind.Forged => others.Make(number).Forge(),
                    RequestKind.WrongAddress => elsewhere.Make(number),
                    _ => others.Make(number),
                }))];
            }
        }
    }

    /// <summary>What has to be delivered once before the clock starts, so that the copies of it are copies.</summary>
    public IEnumerable<PreparedRequest> Prelude =>
        _reused.GetValueOrDefault(RequestKind.Replayed)?.Select(static copy => Prepare(RequestKind.Valid, copy.Request)) ?? [];

    /// <summary>Bytes of the bodies a bank of this size would hold.</summary>
    public static long SizeOf(LoadScenario scenario, int count) => (long)scenario.Body.Size * count;

    /// <summary>Request <paramref name="number"/>, each number asked for once. Safe to call from many threads.</summary>
    public PreparedRequest Take(int number)
    {
        var kind = _scenario.KindOf(number);
        return kind == RequestKind.Valid
            ? Prepare(kind, _valid[Interlocked.Increment(ref _nextValid)])
            : _reused[kind][number % Reused];
    }

    private static PreparedRequest Prepare(RequestKind kind, SignedRequest request) => new(kind, request, ExpectedAnswer.To(kind));
}
