using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using WebhookEdge.AllowLists;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Replay;
using WebhookEdge.Routes;

namespace WebhookEdge.Admin;

/// <summary>What the operator and the orchestrator ask: alive, ready, let a duplicate through.</summary>
internal sealed class AdminEndpoints
{
    public const string DefaultUrl = "http://127.0.0.1:9901";

    private readonly SnapshotProvider _snapshots;
    private readonly RoutesReloader _reloader;
    private readonly AddressListPool _lists;
    private readonly ReplayGuard _replay;
    private readonly byte[]? _token;
    private volatile bool _draining;

    public AdminEndpoints(SnapshotProvider snapshots, RoutesReloader reloader, AddressListPool lists, ReplayGuard replay, Capacity capacity, IConfiguration configuration, IHostApplicationLifetime lifetime, ILogger<AdminEndpoints> logger)
    {
        _snapshots = snapshots;
        _reloader = reloader;
        _lists = lists;
        _replay = replay;
        _token = configuration["Admin:Token"] is { Length: > 0 } token ? SHA256.HashData(Encoding.UTF8.GetBytes(token)) : null;
        lifetime.ApplicationStopping.Register(() =>
        {
            _draining = true;

            // Also comes when a listener could not be opened; then there was nothing to drain.
            if (lifetime.ApplicationStarted.IsCancellationRequested)
            {
                logger.Draining(capacity.Requests);
            }
        });
    }

    public void Map(WebApplication application, string url)
    {
        if (_token is null)
        {
            application.Use(RefuseBrowsersOfStrangersAsync);
        }

        application.MapGet("/healthz", static () => Results.Text("alive\n"));
        application.MapGet("/readyz", Ready);

        // Probes come from elsewhere in a cluster and learn one word; what changes anything is for this machine, or for who knows the token.
        if (_token is not null || IsLoopback(url))
        {
            application.MapPost("/api/replay/{route}/forget", ForgetAsync);
        }
    }

    /// <summary>
    /// A page on the internet can make a browser on this machine send requests here, under a name of its own that resolves to loopback (DNS rebinding)
    /// or across origins. Without a token the Host must be this machine, and nothing may come from another origin.
    /// </summary>
    private static Task RefuseBrowsersOfStrangersAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        var changes = !HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method);
        var named = request.Host.Host;
        var isHere = named is "localhost" || (System.Net.IPAddress.TryParse(named.Trim('[', ']'), out var address) && System.Net.IPAddress.IsLoopback(address));
        if (changes && (!isHere || request.Headers.Origin.Count > 0 || request.Headers["Sec-Fetch-Site"] is { Count: > 0 } site && site != "same-origin" && site != "none"))
        {
            return Results.Problem("ask this machine by its loopback name, and not from a page of another origin", statusCode: StatusCodes.Status403Forbidden, title: "not from here").ExecuteAsync(context);
        }

        return next(context);
    }

    private static bool IsLoopback(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.IsLoopback;

    private IResult Ready()
    {
        var reasons = new List<string>();
        if (_draining)
        {
            reasons.Add("draining");
        }

        foreach (var list in _lists.All)
        {
            if (list.Current is null)
            {
                reasons.Add($"address list {list.Name} was never loaded: {list.LastError ?? "not fetched yet"}");
            }
        }

        var status = _reloader.Status;
        var observing = _snapshots.Current.Policies.Values.Where(static p => !p.Observing.IsEmpty).OrderBy(static p => p.RouteId, StringComparer.Ordinal)
            .Select(static p => new { route = p.RouteId, checks = p.Observing });
        var answer = new { ready = reasons.Count == 0, revision = status.Revision, newestFileTaken = status.Successful, reasons, observing };
        return Results.Json(answer, statusCode: reasons.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    private async Task<IResult> ForgetAsync(string route, HttpContext context)
    {
        if (_token is not null && !HasToken(context))
        {
            return Results.Problem("send Authorization: Bearer with the value of Admin:Token", statusCode: StatusCodes.Status401Unauthorized, title: "token required");
        }

        if (!_snapshots.Current.Policies.ContainsKey(route))
        {
            return Results.Problem($"there is no route {route}", statusCode: StatusCodes.Status404NotFound, title: "unknown route");
        }

        if (!ReplayKey.TryParse(context.Request.Query["key"].ToString(), out var key))
        {
            return Results.Problem("add ?key=<64 hex digits>: the event key from the log line or the X-Webhook-Event-Key header", statusCode: StatusCodes.Status400BadRequest, title: "no event key");
        }

        try
        {
            return await _replay.ForgetAsync(key)
                ? Results.Json(new { forgotten = key.ToString() })
                : Results.Problem("no event of this key is remembered here: its next copy is delivered anyway", statusCode: StatusCodes.Status404NotFound, title: "unknown event");
        }
        catch (ReplayStoreException)
        {
            return Results.Problem("the replay store is away and may still remember the event; try again", statusCode: StatusCodes.Status503ServiceUnavailable, title: "store away");
        }
    }

    private bool HasToken(HttpContext context)
    {
        var values = context.Request.Headers.Authorization;
        return values.Count == 1
            && values[0] is { } value
            && value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(value["Bearer ".Length..])), _token!);
    }
}
