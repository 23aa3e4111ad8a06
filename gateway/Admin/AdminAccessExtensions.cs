namespace WebhookEdge.Admin;

internal static class AdminAccessExtensions
{
    /// <summary>Needs no token. Every other endpoint of the admin listener does when there is one.</summary>
    public static T NeedsNoToken<T>(this T endpoint)
        where T : IEndpointConventionBuilder => endpoint.WithMetadata(OpenToAll.Instance);
}
