using System.Reflection;

namespace WebhookEdge.Verdicts;

/// <summary>What the refusal of a request says about whoever sent it.</summary>
internal enum SenderProof
{
    /// <summary>Nothing: anybody could have been refused so.</summary>
    None = 0,

    /// <summary>There was a proof, and it did not hold. A stranger's probe has none at all, so this may be the sender with a wrong secret.</summary>
    WrongProof,

    /// <summary>The sender had proved itself if the event's key was made by then.</summary>
    ProvedWithKey,

    /// <summary>The sender had proved itself.</summary>
    Proved,
}

/// <summary>All there is to say about one reason. Response, metric, log, journal, page, health, attempts and documentation read this row.</summary>
/// <param name="status">What the sender is told, unless the route says otherwise.</param>
/// <param name="slug">How the reason is written in routes.json, metrics, logs and the API.</param>
/// <param name="level">How loudly it is logged.</param>
/// <param name="stage">Which stage speaks.</param>
/// <param name="outcome">What such a request counts as. <see cref="Outcome.Failed"/> where a delivery was hit that would, or well might, have been accepted:
/// then it is the operator's affair.</param>
/// <param name="proof">What it says about the sender.</param>
/// <param name="meaning">What it means, for the operator.</param>
/// <param name="advice">What to do next.</param>
/// <param name="isFlood">A flood from strangers is made of these: they have a ring of their own in the journal, so that they push out nothing else.</param>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class RejectionAttribute(
    int status, string slug, LogLevel level, Stage stage, Outcome outcome, SenderProof proof, string meaning, string advice, bool isFlood = false) : Attribute
{
    public int Status => status;

    public string Slug => slug;

    public LogLevel Level => level;

    public Stage Stage => stage;

    public Outcome Outcome => outcome;

    public SenderProof Proof => proof;

    public bool IsFlood => isFlood;

    public string Meaning => meaning;

    public string Advice => advice;
}

/// <summary>Finds the row of a reason, and a reason by its slug.</summary>
internal static class RejectReasons
{
    private static readonly RejectionAttribute[] Table = [.. Enum.GetValues<RejectReason>().Select(Row)];

    /// <summary>How many reasons there are; each is smaller than this as a number.</summary>
    public static int Count => Table.Length;

    /// <summary>The row of <paramref name="reason"/>.</summary>
    public static RejectionAttribute Describe(this RejectReason reason) => Table[(int)reason];

    /// <summary>How the reasons are written under <c>refuse</c>.</summary>
    public static IReadOnlyCollection<string> Slugs { get; } = [.. Table.Select(static row => row.Slug)];

    /// <summary>Finds a reason by its slug, as written under <c>refuse</c> in routes.json.</summary>
    public static bool TryParse(string slug, out RejectReason reason)
    {
        var at = Array.FindIndex(Table, row => row.Slug == slug);
        reason = at < 0 ? RejectReason.NotDecided : (RejectReason)at;
        return at >= 0;
    }

    private static RejectionAttribute Row(RejectReason reason) =>
        typeof(RejectReason).GetField(reason.ToString())?.GetCustomAttribute<RejectionAttribute>()
        ?? throw new InvalidOperationException($"RejectReason.{reason} has no row: write [Rejection(…)] above it");
}
