using System.Text.Json;
using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>
/// YARP's own reader and validator, asked outside a running proxy, so that <c>clusters</c> and <c>transforms</c> mean exactly what YARP documents
/// and every complaint of YARP's is known before a revision is published.
/// </summary>
internal static class YarpRules
{
    /// <summary>
    /// Reads the <c>clusters</c> object, whose keys the validator has held against YARP's type (YARP itself passes over those it does not know).
    /// </summary>
    public static IReadOnlyDictionary<string, ClusterConfig> ReadClusters(
        IReadOnlyDictionary<string, JsonElement> clusters, ICollection<ConfigProblem> problems)
    {
        if (clusters.Count == 0)
        {
            return new Dictionary<string, ClusterConfig>();
        }

        try
        {
            return Read(clusters);
        }
        catch (Exception e) when (IsFault(e))
        {
            // YARP does not say which cluster it was; one at a time tells.
            var read = new Dictionary<string, ClusterConfig>(StringComparer.OrdinalIgnoreCase);
            foreach (var cluster in clusters)
            {
                try
                {
                    read[cluster.Key] = Read([cluster])[cluster.Key];
                }
                catch (Exception one) when (IsFault(one))
                {
                    problems.Add(new(JsonPath.Key("clusters", cluster.Key), one.Message, "see YARP's documentation of clusters"));
                }
            }

            return read;
        }
    }

    private static bool IsFault(Exception e) =>
        e is FormatException or InvalidOperationException or ArgumentException or InvalidDataException or OverflowException;

    private static Dictionary<string, ClusterConfig> Read(IEnumerable<KeyValuePair<string, JsonElement>> clusters)
    {
        var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("Clusters");
            foreach (var (id, element) in clusters)
            {
                writer.WritePropertyName(id);
                element.WriteTo(writer);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        text.Position = 0;
        var configuration = new ConfigurationBuilder().AddJsonStream(text).Build();
        using var services = new ServiceCollection().AddLogging().AddReverseProxy().LoadFromConfig(configuration).Services.BuildServiceProvider();
        return services.GetRequiredService<IProxyConfigProvider>()
            .GetConfig().Clusters.ToDictionary(static cluster => cluster.ClusterId, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>What YARP itself says against these routes and clusters.</summary>
    /// <param name="placeOf">The place in the file of the cluster with this id.</param>
    public static async Task ValidateAsync(IReadOnlyList<RouteConfig> routes, IReadOnlyList<ClusterConfig> clusters, Func<string, string> placeOf,
        ICollection<ConfigProblem> problems)
    {
        await using var services = new ServiceCollection().AddLogging().AddReverseProxy().AddTransforms<ForwardTransforms>().Services.BuildServiceProvider();
        var validator = services.GetRequiredService<IConfigValidator>();
        foreach (var cluster in clusters)
        {
            foreach (var fault in await validator.ValidateClusterAsync(cluster))
            {
                problems.Add(new(placeOf(cluster.ClusterId), fault.Message.Replace(cluster.ClusterId, WrittenId(cluster.ClusterId), StringComparison.Ordinal)));
            }
        }

        foreach (var route in routes)
        {
            foreach (var fault in await validator.ValidateRouteAsync(route))
            {
                problems.Add(new(JsonPath.Key("routes", route.RouteId), fault.Message));
            }
        }
    }

    /// <summary>A cluster's name as it was written: the id that YARP is given has a digest behind it.</summary>
    public static string WrittenId(string clusterId) => clusterId[..clusterId.IndexOf('~', StringComparison.Ordinal)];
}
