using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Gate;

/// <summary>
/// What an address (of IPv6, a /64) may ask of paths that are no route. For ASP.NET Core's rate limiting middleware, which stands before the endpoint that
/// answers them, and for the gate, where a path turns out to be none although routing took it for one. Addresses are spread over a fixed number of
/// budgets, so that any number of them costs no more memory; two that share one are refused together, which nobody with a route notices.
/// </summary>
internal sealed class UnroutedBudget : IDisposable
{
    /// <summary>Requests a minute.</summary>
    public const int Permits = 600;

    private const int Budgets = 4096;

    private static readonly FixedWindowRateLimiterOptions s_options = new() { PermitLimit = Permits, Window = TimeSpan.FromMinutes(1), QueueLimit = 0 };

    private Func<ClientAddressResolver> _addresses;

    /// <param name="addresses">How the client's address is established now.</param>
    public UnroutedBudget(Func<ClientAddressResolver> addresses)
    {
        _addresses = addresses;
        Limiter = PartitionedRateLimiter.Create<HttpContext, uint>(context =>
        {
#pragma warning disable RS0030 // The resolver is asked right here; this is the peer it starts from.
            var client = _addresses().Resolve(context.Connection.RemoteIpAddress, context.Request.Headers);
#pragma warning restore RS0030
            return RateLimitPartition.GetFixedWindowLimiter((uint)AddressKey.Of(client).GetHashCode() % Budgets, static _ => s_options);
        });
    }

    public PartitionedRateLimiter<HttpContext> Limiter { get; }

    /// <summary><paramref name="verdict"/>, or that too many such came from the address.</summary>
    public Verdict Judge(HttpContext context, Verdict verdict)
    {
        using var lease = Limiter.AttemptAcquire(context);
        return lease.IsAcquired ? verdict : Refuse(lease);
    }

    public static Verdict Refuse(RateLimitLease lease) =>
        Verdict.Reject(
            RejectReason.TooManyFromAddress, "paths that are no route", lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : s_options.Window);

    public void Dispose()
    {
        // The middleware that has the limiter is kept for the life of the process; what the limiter reaches should not be.
        _addresses = static () => ClientAddressResolver.Connection;
        Limiter.Dispose();
    }
}
