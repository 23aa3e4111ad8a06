using System.Text.Json;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

/// <summary>What the validator must know and this folder may not import.</summary>
internal sealed record RoutesCatalogue
{
    public required IReadOnlyDictionary<string, PresetSpec> Presets { get; init; }

    /// <summary>Slugs of the reasons, as written under <c>refuse</c>.</summary>
    public required IReadOnlyCollection<string> ReasonSlugs { get; init; }

    /// <summary>Named code verifiers, usable as a scheme's kind.</summary>
    public IReadOnlyDictionary<string, CodeKind> CodeVerifiers { get; init; } = new Dictionary<string, CodeKind>();

    /// <summary>What is wrong with the text of an address or CIDR, or null: the strict parser of the address lists.</summary>
    public required Func<string, string?> AddressFault { get; init; }

    /// <summary>Why a route cannot have a sender's header forwarded that the gateway removes, or null; and whether the gateway removes it at all.</summary>
    public Func<string, (string? Fault, bool IsRemoved)> ForwardHeader { get; init; } = static _ => (null, true);

    /// <summary>The type clusters are read into (YARP's ClusterConfig), whose properties are the keys a cluster may have; null = any.</summary>
    public Type? ClusterType { get; init; }
}
