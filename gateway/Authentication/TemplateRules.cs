using WebhookEdge.Configuration;

namespace WebhookEdge.Authentication;

/// <summary>What the parts of a signed text must be to each other, so that the signature covers what it seems to cover.</summary>
internal static class TemplateRules
{
    public static void Check(SchemeSpec spec, SchemeFaults faults, SigningTemplate template, TimeRule? time, bool keyed)
    {
        if (!template.Has(PartKind.Body) && spec.UnsignedBody != true)
        {
            faults.Fault("signed", "the body is not signed", "add {body}; if the sender really signs none of it, say \"unsignedBody\": true");
        }

        if (template.IsConstant && spec.UnsignedBody == true)
        {
            faults.Warn("signed", "nothing of the request is signed, so the signature is the same each time: a token that everyone on the way can use again",
                "sign {body} if the sender does; else the kind token says what it is");
        }

        if (template.Has(PartKind.Body) && spec.UnsignedBody == true)
        {
            faults.Fault("unsignedBody", "the signed text holds {body}", "remove unsignedBody");
        }

        if (!keyed && !template.Has(PartKind.Secret))
        {
            faults.Fault("signed", "a digest without {secret} can be made by anyone", "add {secret} where the sender puts it, or use the kind hmac");
        }

        if (!keyed && template.Parts[0].Kind == PartKind.Secret && template.Parts[^1].Kind != PartKind.Secret)
        {
            faults.Warn("signed", "a plain hash that begins with the secret can be extended by a stranger", "use the sender's hmac scheme if it has one");
        }

        if (template.Has(PartKind.Timestamp) && (time is null || time.Json is not null) && !faults.Faulty("timestamp"))
        {
            faults.Fault("signed", time is null ? "{timestamp} without a timestamp rule" : "{timestamp} stands in the body, which is signed already",
                time is null ? "say where it stands: \"timestamp\": { \"from\": \"header:X-Timestamp\" }"
                : "sign {body}, or name the header the time stands in");
        }

        if (time is { Json: null, ToleranceMilliseconds: > 0 } && !template.Has(PartKind.Timestamp)
            && !(time.Header is { } header && template.HasHeader(header)))
        {
            faults.Warn("timestamp", "the timestamp is not signed, so it does not stop replays",
                "a stranger can put a new time on a captured request; rely on replay instead");
        }

        if (time?.Json is not null && !template.Has(PartKind.Body))
        {
            faults.Fault("timestamp.from", "the time stands in a body that is not signed", "sign {body}");
        }

        for (var i = 1; i < template.Parts.Length; i++)
        {
            var (left, right) = (template.Parts[i - 1].Kind, template.Parts[i].Kind);
            if ((IsLoose(left) && IsVariable(right)) || (IsLoose(right) && IsVariable(left)) || (IsUnboundTime(left, time) && IsVariable(right))
                || (IsUnboundTime(right, time) && IsVariable(left)))
            {
                faults.Warn("signed", $"nothing separates {Word(template.Parts[i - 1])} from {Word(template.Parts[i])}",
                    "the border between them is not signed; put the separator there if the sender has one");
            }
        }
    }

    private static bool IsLoose(PartKind kind) => kind is PartKind.Id or PartKind.Header;

    private static bool IsVariable(PartKind kind) => kind is PartKind.Body or PartKind.Id or PartKind.Header or PartKind.Url or PartKind.Method;

    // Digits without an age check may lend a digit to their neighbour; with one, or in ISO form, the border is fixed.
    private static bool IsUnboundTime(PartKind kind, TimeRule? time) =>
        kind == PartKind.Timestamp && time is { ToleranceMilliseconds: 0, Unit: not TimeUnit.Iso };

    private static string Word(SignedPart part) =>
        part.Kind == PartKind.Header ? $"{{header:{part.Header}}}" : $"{{{part.Kind.ToString().ToLowerInvariant()}}}";
}
