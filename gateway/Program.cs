using System.CommandLine;
using WebhookEdge.Cli;

var root = new RootCommand("WebhookEdge: lets only authentic, fresh, first-time webhooks through to your apps.")
{
    ServeCommand.Create(),
    DemoCommand.Create(),
    ValidateCommand.Create(),
    SendCommand.Create(),
    HealthcheckCommand.Create(),
};
ServeCommand.MakeDefault(root);

// The host listens to SIGTERM and SIGINT itself and drains; the command line must not cut that short.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
