using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using WebhookEdge.Cli;
using WebhookEdge.Routes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace WebhookEdge.UnitTests.Repository;

/// <summary>
/// What one manifest says of another, of the image and of the gateway: names, ports, paths, times. Whether each is a manifest at all is Kubernetes' to say.
/// </summary>
public sealed class KubernetesFilesTests
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "config", "kubernetes");
    private static readonly JsonObject[] Objects = [.. Directory.GetFiles(Folder, "*.yml").Order().SelectMany(Read)];

    private static JsonNode Pod => One("Deployment")["spec"]!["template"]!["spec"]!;

    private static JsonNode Gateway => Assert.Single(Pod["containers"]!.AsArray())!;

    private static JsonNode Labels => One("Deployment")["spec"]!["template"]!["metadata"]!["labels"]!;

    private static string Routes => Text(One("ConfigMap")["data"]!["routes.json"]);

    [Fact]
    public void The_kustomization_lists_every_file_but_the_example_of_the_secrets()
    {
        var kustomization = Assert.Single(Read(Path.Combine(Folder, "kustomization.yaml")));

        Assert.Equal(
            Directory.GetFiles(Folder, "*.yml").Select(path => Path.GetFileName(path)).Where(name => name != "secrets.example.yml").Order(),
            kustomization["resources"]!.AsArray().Select(Text).Order());
        Assert.Equal(Text(Gateway["image"]), Text(kustomization["images"]![0]!["name"]));
    }

    [Fact]
    public void Every_selector_selects_the_gateway()
    {
        JsonNode?[] selectors =
        [
            One("Deployment")["spec"]!["selector"]!["matchLabels"], One("Service")["spec"]!["selector"],
            One("PodDisruptionBudget")["spec"]!["selector"]!["matchLabels"],
            One("NetworkPolicy")["spec"]!["podSelector"]!["matchLabels"],
            .. Pod["topologySpreadConstraints"]!.AsArray().Select(constraint => constraint!["labelSelector"]!["matchLabels"]),
        ];

        Assert.All(selectors, selector => Assert.True(JsonNode.DeepEquals(Labels, selector), selector?.ToJsonString()));
        var target = One("HorizontalPodAutoscaler")["spec"]!["scaleTargetRef"]!;
        Assert.Equal(("apps/v1", "Deployment", Text(One("Deployment")["metadata"]!["name"])),
            (Text(target["apiVersion"]), Text(target["kind"]), Text(target["name"])));
        Assert.Null(One("Deployment")["spec"]!["replicas"]);
        Assert.Equal(Text(One("ServiceAccount")["metadata"]!["name"]), Text(Pod["serviceAccountName"]));
    }

    [Fact]
    public void Every_port_that_is_named_is_one_of_the_containers_and_the_listeners_are_on_them()
    {
        var ports = Gateway["ports"]!.AsArray().ToDictionary(port => Text(port!["name"]), port => Text(port!["containerPort"]));

        foreach (var probe in new[] { "startupProbe", "readinessProbe", "livenessProbe" })
        {
            Assert.Equal("admin", Text(Gateway[probe]!["httpGet"]!["port"]));
            Assert.Equal(probe == "readinessProbe" ? "/readyz" : "/healthz", Text(Gateway[probe]!["httpGet"]!["path"]));
        }

        Assert.All(One("Service")["spec"]!["ports"]!.AsArray(), port => Assert.Contains(Text(port!["targetPort"]), ports));
        Assert.All(One("NetworkPolicy")["spec"]!["ingress"]!.AsArray().SelectMany(rule => rule!["ports"]!.AsArray()),
            port => Assert.Contains(Text(port!["port"]), ports));
        Assert.EndsWith($":{ports["admin"]}", Text(Environment("Admin__Url")["value"]), StringComparison.Ordinal);
        Assert.Contains($"ASPNETCORE_HTTP_PORTS={ports["webhooks"]}\n", Dockerfile(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_mounted_is_there_as_a_whole_directory_and_is_what_the_gateway_reads()
    {
        var volumes = Pod["volumes"]!.AsArray().ToDictionary(volume => Text(volume!["name"]), volume => volume!);
        var mounts = Gateway["volumeMounts"]!.AsArray().ToDictionary(mount => Text(mount!["name"]), mount => mount!);
        Assert.Equal(volumes.Keys.Order(), mounts.Keys.Order());

        // A file mounted by subPath never changes.
        Assert.All(mounts.Values, mount => Assert.Null(mount["subPath"]));
        Assert.Equal(Text(One("ConfigMap")["metadata"]!["name"]), Text(volumes["routes"]["configMap"]!["name"]));
        Assert.Equal(["serve", "--config", $"{Text(mounts["routes"]["mountPath"])}/routes.json"], Gateway["args"]!.AsArray().Select(Text));

        var secret = Secret(Text(volumes["secrets"]["secret"]!["secretName"]));
        var named = Regex.Matches(Routes, "\"file:(?<path>[^\"]+)\"", RegexOptions.ExplicitCapture).Select(match => match.Groups["path"].Value).ToArray();
        Assert.Equal(secret.Select(pair => $"{Text(mounts["secrets"]["mountPath"])}/{pair.Key}").Order(), named.Order());
        Assert.DoesNotContain("\"env:", Routes, StringComparison.Ordinal);

        var state = Regex.Match(Routes, "\"stateDirectory\": \"(?<path>[^\"]+)\"", RegexOptions.ExplicitCapture).Groups["path"].Value;
        var writable = mounts.Where(mount => mount.Value["readOnly"] is null).Select(mount => Text(mount.Value["mountPath"])).Order();
        Assert.Equal(new[] { state, "/tmp" }.Order(), writable);
        Assert.All(mounts.Where(mount => mount.Value["readOnly"] is null), mount => Assert.NotNull(volumes[mount.Key]["emptyDir"]!["sizeLimit"]));
    }

    [Fact]
    public void The_admin_listener_outside_loopback_has_its_token()
    {
        var reference = Environment("Admin__Token")["valueFrom"]!["secretKeyRef"]!;

        Assert.NotNull(Secret(Text(reference["name"]))[Text(reference["key"])]);
    }

    [Fact]
    public void The_example_holds_no_secret() =>
        Assert.All(Objects.Where(o => Text(o["kind"]) == "Secret").SelectMany(o => o["stringData"]!.AsObject()),
            pair => Assert.StartsWith("REPLACE", Text(pair.Value), StringComparison.Ordinal));

    [Fact]
    public async Task The_routes_are_good()
    {
        await using var gateway = new OfflineGateway();

        var loaded = await gateway.Loader.LoadAsync(Encoding.UTF8.GetBytes(Routes), CompileMode.WithoutSecrets, CancellationToken.None);

        // What is to be replaced says so.
        var placeholder = Assert.Single(loaded.Problems);
        Assert.True(placeholder.IsWarning && placeholder.Message.Contains("is an address of examples", StringComparison.Ordinal), placeholder.ToString());
        Assert.Equal(4, loaded.Compiled!.Policies.Count);
    }

    [Fact]
    public void The_network_lets_in_whom_the_routes_trust_and_out_to_where_they_forward()
    {
        var policy = One("NetworkPolicy")["spec"]!;
        var trusted = Regex.Match(Routes, "\"trustedProxies\": \\[\"(?<network>[^\"]+)\"\\]", RegexOptions.ExplicitCapture).Groups["network"].Value;
        var upstream = Regex.Match(Routes, "\"Address\": \"http://(?<host>[^:\"]+):(?<port>[0-9]+)/\"", RegexOptions.ExplicitCapture);

        Assert.Equal(trusted, Text(policy["ingress"]![0]!["from"]![0]!["ipBlock"]!["cidr"]));
        Assert.Contains(policy["egress"]!.AsArray(), rule =>
            rule!["to"]![0]!["podSelector"]?["matchLabels"]?["app"] is { } app && Text(app) == upstream.Groups["host"].Value
            && Text(rule["ports"]![0]!["port"]) == upstream.Groups["port"].Value);
    }

    [Fact]
    public void Stopping_has_the_time_it_needs()
    {
        var host = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "gateway", "Hosting", "ServerDefaults.cs"));
        var drain = int.Parse(Regex.Match(host, @"ShutdownTimeout = TimeSpan\.FromSeconds\((?<seconds>[0-9]+)\)", RegexOptions.ExplicitCapture).Groups["seconds"].Value, CultureInfo.InvariantCulture);
        var sleep = Number(Gateway["lifecycle"]!["preStop"]!["sleep"]!["seconds"]);

        Assert.True(Number(Pod["terminationGracePeriodSeconds"]) >= sleep + drain + 10,
            $"{sleep} s before SIGTERM, {drain} s of draining, and writing what is owed");
        Assert.True(sleep > Number(Gateway["readinessProbe"]!["periodSeconds"]) * Number(Gateway["readinessProbe"]!["failureThreshold"]),
            "a probe must be able to notice");
    }

    [Fact]
    public void The_pod_may_do_nothing_it_does_not_need()
    {
        var container = Gateway["securityContext"]!;

        Assert.Equal(("false", "true", "[\"ALL\"]"),
            (Text(container["allowPrivilegeEscalation"]), Text(container["readOnlyRootFilesystem"]), container["capabilities"]!["drop"]!.ToJsonString()));
        Assert.Equal(("true", "1654", "RuntimeDefault"),
            (Text(Pod["securityContext"]!["runAsNonRoot"]), Text(Pod["securityContext"]!["runAsUser"]),
            Text(Pod["securityContext"]!["seccompProfile"]!["type"])));
        Assert.Equal("false", Text(Pod["automountServiceAccountToken"]));
        Assert.NotNull(Gateway["resources"]!["requests"]!["cpu"]);
        Assert.NotNull(Gateway["resources"]!["limits"]!["memory"]);
    }

    [Fact]
    public void Scaling_never_goes_below_two_and_a_drain_takes_one_at_a_time()
    {
        var scaler = One("HorizontalPodAutoscaler")["spec"]!;

        Assert.Equal(2, Number(scaler["minReplicas"]));
        Assert.Equal("webhookedge_in_flight", Text(scaler["metrics"]![0]!["pods"]!["metric"]!["name"]));
        Assert.Equal(1, Number(One("PodDisruptionBudget")["spec"]!["maxUnavailable"]));
    }

    private static string Dockerfile() => File.ReadAllText(Path.Combine(RepositoryRoot.Path, "Dockerfile"));

    private static JsonObject One(string kind) => Assert.Single(Objects, o => Text(o["kind"]) == kind);

    private static JsonObject Secret(string name) =>
        Assert.Single(Objects, o => Text(o["kind"]) == "Secret" && Text(o["metadata"]!["name"]) == name)["stringData"]!.AsObject();

    private static JsonNode Environment(string name) => Assert.Single(Gateway["env"]!.AsArray(), variable => Text(variable!["name"]) == name)!;

    private static string Text(JsonNode? node) => Assert.IsAssignableFrom<JsonValue>(node).GetValue<string>();

    private static int Number(JsonNode? node) => int.Parse(Text(node), CultureInfo.InvariantCulture);

    /// <summary>The documents of a file; every scalar as the text it was written as.</summary>
    private static IEnumerable<JsonObject> Read(string path)
    {
        var stream = new YamlStream();
        using var reader = new StreamReader(path);
        stream.Load(new MergingParser(new Parser(reader)));
        return [.. stream.Documents.Select(document => Convert(document.RootNode)!.AsObject())];
    }

    private static JsonNode? Convert(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value!, Convert(pair.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(Convert)]),
        _ => JsonValue.Create(((YamlScalarNode)node).Value),
    };
}
