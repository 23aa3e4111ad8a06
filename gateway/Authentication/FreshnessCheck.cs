using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication;

/// <summary>
/// Refuses a signed body whose own time is older than the route allows: for senders that sign no timestamp, whose captured requests would otherwise
/// verify for ever. The time is an ISO 8601 text or a Unix time, in milliseconds from 10^11 on (1973), in seconds below (until the year 5138).
/// </summary>
internal sealed class FreshnessCheck(JsonPointer at, TimeSpan within, TimeProvider time) : IGateCheck
{
    private static readonly TimeSpan Future = TimeSpan.FromMinutes(5);

    public Stage Stage => Stage.Freshness;

    /// <summary>Null when the route has no usable freshness rule; faults go to <paramref name="problems"/>.</summary>
    public static FreshnessCheck? Compile(FreshnessSpec spec, TimeProvider time, ICollection<ConfigProblem> problems, string path)
    {
        JsonPointer? pointer = null;
        if (spec.At is null || !spec.At.StartsWith("json:", StringComparison.Ordinal) || !JsonPointer.TryParse(spec.At["json:".Length..], out pointer)
            || pointer.Text.Length == 0)
        {
            problems.Add(new(path + ".at", spec.At is null ? "missing" : $"\"{spec.At}\" is not a place in the body",
                "write a JSON pointer: \"json:/created_at\""));
        }

        if (spec.Within is null)
        {
            problems.Add(new(path + ".within", "missing", "write the largest age, e.g. \"24h\""));
        }

        return pointer is { Text.Length: > 0 } && spec.Within is { } within ? new(pointer, within.Value, time) : null;
    }

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken) => new(Check(delivery));

    private Verdict Check(Delivery delivery)
    {
        Span<byte> bytes = stackalloc byte[64];
        Span<char> text = stackalloc char[64];
        var kind = at.Find(delivery.Body, bytes, out var length);
        Encoding.Latin1.GetChars(bytes[..length], text);
        text = text[..length];
        long milliseconds;
        if (kind is not (JsonScalar.String or JsonScalar.Number))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the body holds no time where freshness.at says");
        }

        if (SignedTime.TryParse(text, TimeUnit.Milliseconds, out milliseconds))
        {
            milliseconds = milliseconds < 100_000_000_000 ? milliseconds * 1000 : milliseconds;
        }
        else if (kind != JsonScalar.String || !SignedTime.TryParseIso(text, out milliseconds))
        {
            return Verdict.Reject(RejectReason.SignatureMalformed, "the time that freshness.at names is neither ISO 8601 nor a Unix time");
        }

        var age = time.GetUtcNow().ToUnixTimeMilliseconds() - milliseconds;
        return age > within.TotalMilliseconds || age < -Future.TotalMilliseconds
            ? Verdict.Reject(RejectReason.TimestampOutsideWindow, "the body's own time is too far from now")
            : Verdict.Pass;
    }
}
