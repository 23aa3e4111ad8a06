using System.CommandLine;
using WebhookEdge.Cli;

// Read once, before the first socket: completions run on the thread that polls the sockets. See docs/performance.md. "0" in the environment turns it off.
if (Environment.GetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS") is null)
{
    Environment.SetEnvironmentVariable("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS", "1");
}

var parsed = Verbs.Create().Parse(args);
if (Verbs.Fault(parsed) is { } fault)
{
    Console.Error.WriteLine("webhookedge: " + fault);
    return Verbs.UnusableCode(parsed);
}

// The host listens to SIGTERM and SIGINT itself and drains; the command line must not cut that short.
var code = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? Verbs.UnusableCode(parsed) : code;
