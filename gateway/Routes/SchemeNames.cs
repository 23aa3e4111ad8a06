using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes;

/// <summary>
/// What a <c>scheme</c> means: written out, or a name, looked up among the file's own schemes, then presets, then bare kinds (<c>"basic"</c>).
/// </summary>
internal static class SchemeNames
{
    /// <summary>Kinds that need no field, so that their name alone is a scheme.</summary>
    public static IReadOnlyList<string> BareKinds { get; } = ["basic", "bearer"];

    public static SchemeSpec? Resolve(RoutesFile file, SchemeRef? scheme) => scheme switch
    {
        { Inline: { } written } => written,
        { Name: { } name } =>
            file.Schemes?.GetValueOrDefault(name) ?? Presets.Find(name)?.Scheme
            ?? (BareKinds.Contains(name) || CodeVerifiers.Facts.ContainsKey(name) ? new SchemeSpec { Kind = name } : null),
        _ => null,
    };
}
