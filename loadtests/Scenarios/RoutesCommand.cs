using System.CommandLine;

namespace WebhookEdge.LoadTests;

/// <summary><c>scenarios</c> lists them; <c>routes</c> prints the routes.json they need, for a gateway that was not started here.</summary>
internal static class RoutesCommand
{
    public static Command Create()
    {
        var upstream = new Option<string>("--upstream") { Description = "Where accepted events go.", DefaultValueFactory = _ => "http://127.0.0.1:9000" };
        var ttl = new Option<string>("--ttl") { Description = "How long an event is remembered.", DefaultValueFactory = _ => "72h" };
        var redis = new Option<bool>("--redis") { Description = $"Remember events in the Redis whose connection string is in {LoadRoutes.RedisVariable}." };
        var grown = new Option<bool>("--grown") { Description = "The same among a thousand routes, with ten thousand addresses and sixteen secrets (LOAD_SECRET_2 to LOAD_SECRET_16)." };
        var command = new Command("routes", $"Print the routes.json of the scenarios. The gateway reads the signing secret from {LoadRoutes.SecretVariable}.") { upstream, ttl, redis, grown };
        command.SetAction(parsed =>
            parsed.InvocationConfiguration.Output.Write(System.Text.Encoding.UTF8.GetString(LoadRoutes.Write(parsed.GetValue(upstream)!, parsed.GetValue(ttl)!, parsed.GetValue(redis), parsed.GetValue(grown)))));
        return command;
    }

    public static Command CreateList()
    {
        var command = new Command("scenarios", "List the scenarios.");
        command.SetAction(parsed =>
        {
            foreach (var scenario in LoadScenario.All)
            {
                parsed.InvocationConfiguration.Output.WriteLine($"{scenario.Name,-26} {scenario.Body.Size,6} B  {scenario.Description}");
            }
        });
        return command;
    }
}
