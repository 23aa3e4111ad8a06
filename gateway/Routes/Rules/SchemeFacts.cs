using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>What a scheme proves, told from what is written: the rules of a route ask before anything is compiled.</summary>
internal static class SchemeFacts
{
    public static CodeKind? Code(SchemeSpec scheme) => CodeVerifiers.Facts.GetValueOrDefault(scheme.Kind ?? "hmac");

    public static bool SignsBody(SchemeSpec scheme) => Code(scheme) switch
    {
        { ReadsTemplate: false } code => code.SignsBody,
        null when scheme.Kind is not (null or "hmac" or "digest") => false,
        _ => scheme.Signed?.Contains("{body}", StringComparison.Ordinal) ?? true,
    };

    public static bool SignsId(SchemeSpec scheme) =>
        Code(scheme) is { ReadsTemplate: false } code
            ? code.SignsId || scheme.Claims?.Id is not null
            : scheme.Id is { } id && (Signs(scheme, "{id}") || (id.StartsWith("json:", StringComparison.Ordinal) && SignsBody(scheme)));

    public static bool SignsTime(SchemeSpec scheme) =>
        Code(scheme) is { ReadsTemplate: false } code
        ? code.SignsTime || scheme.Claims?.MaxAgeSeconds is not null
        : scheme.Timestamp is { From: { } from, ToleranceSeconds: null or > 0 }
        && (Signs(scheme, "{timestamp}") || (from.StartsWith("json:", StringComparison.Ordinal) && SignsBody(scheme)));

    public static bool SignsHeader(SchemeSpec scheme, string name) =>
        Signs(scheme, $"{{header:{name}}}")
        || (Signs(scheme, "{id}") && string.Equals(scheme.Id, $"header:{name}", StringComparison.OrdinalIgnoreCase))
        || (Signs(scheme, "{timestamp}") && string.Equals(scheme.Timestamp?.From, $"header:{name}", StringComparison.OrdinalIgnoreCase));

    public static bool Signs(SchemeSpec scheme, string part) => scheme.Signed?.Contains(part, StringComparison.OrdinalIgnoreCase) ?? false;
}
