using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Primitives;

namespace WebhookEdge.Admin;

/// <summary>
/// Ten wrong tokens a minute from an address (of IPv6, from its /64) are answered as wrong ones, further ones as too many. For ASP.NET Core's rate limiting
/// middleware, which only wrong tokens come to: the right one is told first and never counted, so nobody can shut the operator out. Counted when it is
/// asked, so that guesses at the same time cannot pass ten together. Addresses are spread over a fixed number of budgets.
/// </summary>
internal sealed class FailedTries : IDisposable
{
    public const int Allowed = 10;

    private const int Budgets = 1024;

    private static readonly FixedWindowRateLimiterOptions s_options = new() { PermitLimit = Allowed, Window = TimeSpan.FromMinutes(1), QueueLimit = 0 };

    public PartitionedRateLimiter<HttpContext> Limiter { get; } = PartitionedRateLimiter.Create<HttpContext, uint>(static context =>
    {
#pragma warning disable RS0030 // The admin listener stands behind no proxy that it would believe: the peer is who is counted.
        var from = ClientAddress.From(context.Connection.RemoteIpAddress);
#pragma warning restore RS0030
        return RateLimitPartition.GetFixedWindowLimiter((uint)AddressKey.Of(from).GetHashCode() % Budgets, static _ => s_options);
    });

    public void Dispose() => Limiter.Dispose();
}
