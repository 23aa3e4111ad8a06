using System.CommandLine;
using WebhookEdge.Cli;

// Read once, before the first socket: completions run on the thread that polls the sockets. See docs/performance.md. "0" in the environment turns it off.
if (Environment.GetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS") is null)
{
    Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
}

var root = new RootCommand("WebhookEdge: lets only authentic, fresh, first-time webhooks through to your apps.")
{
    ServeCommand.Create(),
    DemoCommand.Create(),
    ValidateCommand.Create(),
    SendCommand.Create(),
    ExplainCommand.Create(),
    PresetsCommand.Create(),
    HealthcheckCommand.Create(),
};
ServeCommand.MakeDefault(root);

// The host listens to SIGTERM and SIGINT itself and drains; the command line must not cut that short.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
