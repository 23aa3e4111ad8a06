using System.Reflection;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace WebhookEdge.Hosting;

/// <summary>
/// The server's limits as the configuration has them (<c>Kestrel:Limits</c>), over the gateway's own defaults. Kestrel itself reads only endpoints and
/// certificates.
/// </summary>
internal static class ServerLimits
{
    private const string Section = "Kestrel:Limits";

    /// <exception cref="StartupException">A key that is no limit, or a value that is none of its kind.</exception>
    public static void Bind(IConfiguration configuration, KestrelServerLimits limits)
    {
        var section = configuration.GetSection(Section);

        // Rates cannot be changed, only made anew.
        limits.MinRequestBodyDataRate = section.GetSection(nameof(limits.MinRequestBodyDataRate)).Exists() ? null : limits.MinRequestBodyDataRate;
        limits.MinResponseDataRate = section.GetSection(nameof(limits.MinResponseDataRate)).Exists() ? null : limits.MinResponseDataRate;
        try
        {
            section.Bind(limits, static binding => binding.ErrorOnUnknownConfiguration = true);
        }
        catch (Exception e) when (e is InvalidOperationException or TargetInvocationException)
        {
            // A limit that refuses its value throws from where it is set by reflection.
            throw new StartupException($"{Section}: {StartupFaults.Message(e is TargetInvocationException { InnerException: { } refusal } ? refusal : e)}; "
                + "the limits and their values are those of Microsoft's KestrelServerLimits");
        }
    }
}
