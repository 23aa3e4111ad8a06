using System.Runtime.CompilerServices;

namespace WebhookEdge.TestKit;

/// <summary>The tests run on sockets set up as the product sets them up (Program.cs): completions on the polling threads.</summary>
internal static class InlineSockets
{
#pragma warning disable CA2255 // The kit is a library of test processes, and every one of them is meant.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void TurnOn() => Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
}
