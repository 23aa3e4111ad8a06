using System.Collections.Immutable;
using WebhookEdge.FailedAttempts;
using WebhookEdge.Gate;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes;

/// <summary>How far compiling goes.</summary>
internal enum CompileMode
{
    /// <summary>Secrets are looked up.</summary>
    WithSecrets,

    /// <summary>On a machine that has no secrets: everything else is compiled.</summary>
    WithoutSecrets,
}

/// <summary>Makes a check once what it holds is there.</summary>
internal delegate IGateCheck CheckRecipe(RouteResources resources);

/// <summary>A route that can be put into force.</summary>
/// <param name="Policy">Its rules without what is kept outside of revisions.</param>
/// <param name="Checks">In stage order.</param>
/// <param name="GivesUp">When the sender gives up; null = not known.</param>
/// <param name="SecretReferences">The active secrets, each once.</param>
/// <param name="Route">What it was made of.</param>
internal sealed record CompiledRoute(RoutePolicy Policy, ImmutableArray<CheckRecipe> Checks, GiveUpRules? GivesUp, ImmutableArray<string> SecretReferences,
    ResolvedRoute Route);

/// <summary>A file that is sound. Nothing outside of it has been touched: <see cref="ResourcePools"/> puts it into force.</summary>
/// <param name="RevisionId">The same on every instance with the same file and the same secrets.</param>
/// <param name="SecretFiles">Files whose change is a reason to read again, with the SHA-256 of what was read.</param>
/// <param name="Routes">YARP's routes but for the fingerprint, in the order of the file.</param>
internal sealed record CompiledRoutes(
    string RevisionId, IReadOnlyList<RouteConfig> Routes, IReadOnlyList<ClusterConfig> Clusters, IReadOnlyDictionary<string, CompiledRoute> Policies,
    EdgeSettings Settings, IReadOnlyDictionary<string, byte[]> SecretFiles);
