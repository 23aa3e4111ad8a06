namespace WebhookEdge.Verdicts;

/// <summary>
/// A step of a request's way, in its order. Cheap checks and those that face strangers come first, and nothing shared (budgets of a route, replay keys, stores)
/// is touched before the sender has proved itself. Checks run from <see cref="AddressRate"/> to <see cref="Replay"/>.
/// </summary>
internal enum Stage
{
    /// <summary>Host and path find a route, or none.</summary>
    Routing,

    /// <summary>A place among the requests and bytes that the gateway holds at once.</summary>
    Capacity,

    AddressRate,
    Shape,
    Address,

    /// <summary>Challenges that the head alone shows and nothing signs.</summary>
    Challenge,
    Credential,
    Timestamp,
    Payload,

    /// <summary>Challenges in an unsigned body.</summary>
    BodyChallenge,
    Signature,

    /// <summary>Challenges that are signed like any event; before <see cref="Freshness"/>, since they carry no time of an event.</summary>
    SignedChallenge,
    Freshness,
    RouteRate,
    Replay,

    /// <summary>The upstream's part.</summary>
    Forward,

    /// <summary>No stage of its own: the gateway itself, or the sender leaving at any time.</summary>
    Gateway,
}

/// <summary>
/// How stages are called wherever somebody reads them, metrics, traces, API, page and command line alike: <c>address-rate</c>, <c>signature</c>, ….
/// </summary>
internal static class StageNames
{
    private static readonly string[] Names =
        [.. Enum.GetValues<Stage>().Select(static stage => string.Concat(stage.ToString().Select(static (c, i) => (i > 0 && char.IsUpper(c) ? "-" : "")
            + char.ToLowerInvariant(c))))];

    public static string Of(Stage stage) => Names[(int)stage];
}
