using System.Reflection;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace WebhookEdge.Hosting;

/// <summary>What YARP registers for things that no route here has, and that the host would start or run all the same.</summary>
internal static class UnusedServices
{
    public static IServiceCollection RemoveUnused(this IServiceCollection services)
    {
        // The host puts the authorization middleware before every request where it finds this one; no route here names a policy.
        services.RemoveAll<IAuthorizationHandlerProvider>();

        // For YARP's session affinity, which encrypts its cookies: the validator refuses it, since webhook senders keep none. A hosted service would read or
        // make keys at start, write them to the home directory, and warn three times in a container that they are lost with it.
        for (var i = services.Count - 1; i >= 0; i--)
        {
            if (IsDataProtection(services[i].ServiceType) || IsDataProtection(Implementation(services[i]))
                || services[i].ServiceType.FullName == "Yarp.ReverseProxy.SessionAffinity.ISessionAffinityPolicy")
            {
                services.RemoveAt(i);
            }
        }

        return services;
    }

    private static Type? Implementation(ServiceDescriptor service) =>
        service.IsKeyedService ? service.KeyedImplementationType : service.ImplementationType ?? service.ImplementationInstance?.GetType() ?? Factory(service);

    /// <summary>What a factory that was given as a lambda belongs to.</summary>
    private static Type? Factory(ServiceDescriptor service) => service.ImplementationFactory?.GetMethodInfo().DeclaringType;

    private static bool IsDataProtection(Type? type) =>
        type?.Assembly.GetName().Name?.StartsWith("Microsoft.AspNetCore.DataProtection", StringComparison.Ordinal) == true;
}
