using Microsoft.Extensions.Logging;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Verdicts;

public sealed class RejectReasonTests
{
    /// <summary>What the outside was promised. A change here is a change that senders and dashboards see.</summary>
    private static readonly Dictionary<string, (int Status, string Slug)> Promised = new()
    {
        ["NotDecided"] = (500, "not-decided"),
        ["RouteUnknown"] = (404, "route-unknown"),
        ["PathRefused"] = (404, "path-refused"),
        ["RequestMalformed"] = (400, "request-malformed"),
        ["MethodRefused"] = (405, "method-refused"),
        ["EncodingRefused"] = (415, "encoding-refused"),
        ["BodyTooLarge"] = (413, "body-too-large"),
        ["BodyIncomplete"] = (408, "body-incomplete"),
        ["SenderHungUp"] = (499, "sender-hung-up"),
        ["AddressUnknown"] = (403, "address-unknown"),
        ["AddressNotAllowed"] = (403, "address-not-allowed"),
        ["AllowListUnavailable"] = (503, "allow-list-unavailable"),
        ["TooManyFromAddress"] = (429, "too-many-from-address"),
        ["TooManyForRoute"] = (429, "too-many-for-route"),
        ["Overloaded"] = (503, "overloaded"),
        ["SignatureMissing"] = (401, "signature-missing"),
        ["SignatureMalformed"] = (401, "signature-malformed"),
        ["SignatureMismatch"] = (401, "signature-mismatch"),
        ["TimestampOutsideWindow"] = (401, "timestamp-outside-window"),
        ["SigningKeyUnavailable"] = (503, "signing-key-unavailable"),
        ["CredentialMismatch"] = (401, "credential-mismatch"),
        ["Duplicate"] = (200, "duplicate"),
        ["DuplicateInFlight"] = (503, "duplicate-in-flight"),
        ["ReplayStoreDown"] = (503, "replay-store-down"),
        ["UpstreamUnreachable"] = (503, "upstream-unreachable"),
        ["UpstreamTimeout"] = (504, "upstream-timeout"),
        ["UpstreamFailed"] = (502, "upstream-failed"),
        ["CheckFailed"] = (500, "check-failed"),
    };

    public static TheoryData<string> Reasons => [.. Enum.GetNames<RejectReason>()];

    [Theory]
    [MemberData(nameof(Reasons))]
    public void Every_reason_has_the_status_and_slug_it_was_promised_with(string name)
    {
        Assert.True(Promised.TryGetValue(name, out var promised), $"RejectReason.{name} is new: promise it a status and a slug here and in the README");

        var row = Enum.Parse<RejectReason>(name).Describe();

        Assert.Equal(promised, (row.Status, row.Slug));
        Assert.InRange(row.Level, LogLevel.Debug, LogLevel.Error);
    }

    [Theory]
    [MemberData(nameof(Reasons))]
    public void Every_slug_leads_back_to_its_reason(string name)
    {
        var reason = Enum.Parse<RejectReason>(name);

        Assert.True(RejectReasons.TryParse(reason.Describe().Slug, out var parsed));
        Assert.Equal(reason, parsed);
        Assert.Matches("^[a-z]+(-[a-z]+)*$", reason.Describe().Slug);
    }

    [Fact]
    public void No_reason_was_dropped_and_no_two_share_a_slug()
    {
        var reasons = Enum.GetValues<RejectReason>();

        Assert.Equal(Promised.Keys.Order(), Enum.GetNames<RejectReason>().Order());
        Assert.Equal(reasons.Length, reasons.Select(reason => reason.Describe().Slug).Distinct().Count());
    }

    [Fact]
    public void Every_reason_tells_an_operator_something_of_its_own()
    {
        var rows = Enum.GetValues<RejectReason>().Select(static reason => reason.Describe()).ToArray();

        Assert.Equal(rows.Length, rows.Select(static row => row.Meaning).Distinct().Count());
        Assert.All(rows, static row => Assert.True(row.Advice.Length > 5));
    }

    /// <summary>Whoever has not proved himself must be able to move no counter that wakes somebody about a sender's attempts.</summary>
    [Fact]
    public void Only_what_comes_after_the_proof_counts_as_proved()
    {
        var proved = Enum.GetValues<RejectReason>().Where(static reason => reason.Describe().Proof == SenderProof.Proved).ToArray();

        Assert.Equal(
            [
                RejectReason.TooManyForRoute, RejectReason.Duplicate, RejectReason.DuplicateInFlight, RejectReason.ReplayStoreDown,
                RejectReason.UpstreamUnreachable, RejectReason.UpstreamTimeout,
                RejectReason.UpstreamFailed,
            ],
            proved);
        Assert.All(proved, static reason => Assert.True(reason.Describe().Stage >= Stage.RouteRate));
    }

    [Fact]
    public void A_stranger_cannot_tell_one_failed_proof_from_another()
    {
        RejectReason[] proofs =
        [
            RejectReason.SignatureMissing, RejectReason.SignatureMalformed, RejectReason.SignatureMismatch,
            RejectReason.TimestampOutsideWindow, RejectReason.CredentialMismatch,
        ];

        Assert.All(proofs, reason => Assert.Equal(401, reason.Describe().Status));
    }

    [Fact]
    public void Only_a_duplicate_is_a_success_for_the_sender()
    {
        var successes = Enum.GetValues<RejectReason>().Where(reason => reason.Describe().Status < 400);

        Assert.Equal([RejectReason.Duplicate], successes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Signature-Mismatch")]
    [InlineData("signature_mismatch")]
    [InlineData("signature-mismatch ")]
    public void An_unknown_slug_is_no_reason(string slug)
    {
        Assert.False(RejectReasons.TryParse(slug, out var reason));
        Assert.Equal(RejectReason.NotDecided, reason);
    }
}
