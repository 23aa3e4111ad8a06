using System.Collections.Immutable;
using WebhookEdge.Gate;

namespace WebhookEdge.Authentication;

/// <summary>What a scheme is compiled against.</summary>
/// <param name="PublicUrl"><c>edge.publicUrl</c>, or null when it is not written; needed only by schemes that sign <c>{url}</c>.</param>
/// <param name="RoutePath">The route's path as configured: literal, or a prefix ending in <c>/</c> or <c>/{**rest}</c>.</param>
/// <param name="Time">The clock that signing times are held against.</param>
/// <param name="Keys">Fetches the keys that senders publish; null where nothing may be fetched, and kinds that need it do not compile.</param>
internal sealed record SchemeContext(string? PublicUrl, string RoutePath, TimeProvider Time, Verifiers.RemoteKeys? Keys = null);

/// <summary>One entry of a route's <c>verify</c>, ready to run. All checks belong together; leaving one out weakens the others.</summary>
internal sealed record CompiledScheme
{
    public required ImmutableArray<IGateCheck> Checks { get; init; }

    /// <summary>Headers that carry a static credential, lower case; to be removed before forwarding.</summary>
    public ImmutableArray<string> CredentialHeaders { get; init; } = [];

    /// <summary>The body cannot be changed without the secret.</summary>
    public bool SignsBody { get; init; }

    /// <summary>A delivery that passes has <see cref="VerifiedIdentity.SignedId"/>; without this, a replay key must not use <c>id</c>.</summary>
    public bool SignsId { get; init; }

    /// <summary>A delivery that passes has a signed time whose age was checked: a capture is worthless soon.</summary>
    public bool SignsTime { get; init; }

    /// <summary>What a delivery that passes has proved.</summary>
    public required TrustLevel Trust { get; init; }
}
