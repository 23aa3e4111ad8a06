using System.Globalization;
using WebhookEdge.AllowLists;
using WebhookEdge.Gate;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;
using WebhookEdge.Replay;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Admin;

/// <summary>What the operator, the page and the orchestrator ask: alive, ready, what happens, why not; and letting a duplicate through.</summary>
internal sealed class AdminEndpoints
{
    public const string DefaultUrl = "http://127.0.0.1:9901";

    private readonly SnapshotProvider _snapshots;
    private readonly RoutesReloader _reloader;
    private readonly AddressListPool _lists;
    private readonly ReplayGuard _replay;
    private readonly AdminAccess _access;
    private readonly AdminState _state;
    private readonly Refusals _refusals;
    private readonly LiveStream _stream;
    private readonly Telemetry _telemetry;
    private readonly ILogger<AdminEndpoints> _logger;
    private readonly CancellationToken _started;
    private readonly LogInterval _faults;
    private volatile bool _wasReady;

    public AdminEndpoints(
        SnapshotProvider snapshots, RoutesReloader reloader, AddressListPool lists, ReplayGuard replay, Capacity capacity, AdminAccess access,
        AdminState state, Refusals refusals, LiveStream stream,
        Telemetry telemetry, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<AdminEndpoints> logger)
    {
        _snapshots = snapshots;
        _reloader = reloader;
        _lists = lists;
        _replay = replay;
        _access = access;
        _state = state;
        _refusals = refusals;
        _stream = stream;
        _telemetry = telemetry;
        _logger = logger;
        _started = lifetime.ApplicationStarted;
        _faults = new(time, TimeSpan.FromSeconds(10));
        lifetime.ApplicationStopping.Register(() =>
        {
            state.Draining = true;

            // Also comes when a listener could not be opened; then there was nothing to drain.
            if (lifetime.ApplicationStarted.IsCancellationRequested)
            {
                logger.Draining(capacity.Requests);
            }
        });
    }

    public void Map(WebApplication application)
    {
        // Outermost, routing included: out of here comes no exception, and what has no valid host is asked nothing more.
        application.Use(AnswerAlwaysAsync);
        application.UseRouting();
        _access.Use(application);

        application.MapGet("/healthz", static () => Results.Text("alive\n")).NeedsNoToken();
        application.MapGet("/readyz", Ready).NeedsNoToken();
        application.MapGet("/metrics", MetricsAsync);

        PageFiles.Map(application);
        application.MapPost("/signin", (RequestDelegate)_access.SignInAsync).NeedsNoToken();
        application.MapPost("/signout", (Delegate)_access.SignOut).NeedsNoToken();

        application.MapGet("/api/state", () => Results.Json(_state.Read()));
        application.MapGet("/api/routes", () => Results.Json(new { routes = _state.Routes() }));
        application.MapGet("/api/addresses", () => Results.Json(new { addresses = _state.Addresses() }));
        application.MapGet("/api/config", () => Results.Json(_state.Config()));
        application.MapGet("/api/store", () => Results.Json(_state.Store()));
        application.MapGet("/api/refusals", List);
        application.MapGet("/api/refusals/{number:long}", Find);
        application.MapPost("/api/replay/{route}/forget", ForgetAsync);
        var stopping = application.Lifetime.ApplicationStopping;
        application.MapGet("/api/stream", (HttpContext context) => _stream.ServeAsync(context, stopping));
    }

    /// <summary>Headers that keep a browser from doing anything with an answer but show it, and a problem+json where there would be an empty error.</summary>
    private async Task AnswerAlwaysAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy =
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; "
                + "form-action 'self'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.XFrameOptions = "DENY";
        headers.CacheControl = "no-store";
        try
        {
            if (!HostText.IsValid(context.Request.Headers.Host.ToString()))
            {
                await Results.Problem("the Host header holds no host name", statusCode: StatusCodes.Status400BadRequest, title: "no valid Host")
                    .ExecuteAsync(context);
                return;
            }

            await next(context);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is there to be answered.
            return;
        }
        catch (Exception e)
        {
            var bad = e as BadHttpRequestException;
            if (bad is null && _faults.TryEnter(out var unsaid))
            {
                _logger.AdminFailed(e, LogText.Printable(context.Request.Method), context.TraceIdentifier, unsaid);
            }

            if (context.Response.HasStarted)
            {
                // Half an answer must not pass for a whole one.
                context.Abort();
                return;
            }

            await Results.Problem(bad is null ? "a fault of the gateway; the log has it, event 1116" : "this is not a request that can be read",
                statusCode: bad?.StatusCode ?? StatusCodes.Status500InternalServerError).ExecuteAsync(context);
        }

        if (!context.Response.HasStarted && context.Response.ContentType is null
            && context.Response.StatusCode is StatusCodes.Status404NotFound or StatusCodes.Status405MethodNotAllowed)
        {
            await Results.Problem(context.Response.StatusCode == StatusCodes.Status404NotFound ? "there is nothing of this name on the admin listener"
                : "not with this method", statusCode: context.Response.StatusCode).ExecuteAsync(context);
        }
    }

    private async Task MetricsAsync(HttpContext context)
    {
        var text = await _telemetry.CollectAsync(context.RequestAborted);
        context.Response.ContentType = PrometheusText.ContentType;
        context.Response.ContentLength = text.Length;
        await context.Response.BodyWriter.WriteAsync(text, context.RequestAborted);
    }

    private IResult Ready(HttpContext context)
    {
        var reasons = new List<string>();
        if (_state.Draining)
        {
            reasons.Add("draining");
        }

        // The admin listener opens first, so that a start that takes long can be watched. Started means that every public port listens.
        if (!_started.IsCancellationRequested)
        {
            reasons.Add("the public listener is not open yet");
        }

        var missing = new List<string>();
        foreach (var list in _lists.All)
        {
            if (list.Current is null)
            {
                missing.Add($"address list {list.Name} was never loaded: {list.LastError ?? "not fetched yet"}");
            }
        }

        // Once ready, a list that a reload brought and that cannot be had fails its own routes (503), and must not take all the others out of every replica at
        // once.
        if (!_wasReady)
        {
            reasons.AddRange(missing);
        }

        var isReady = reasons.Count == 0;
        _wasReady |= isReady;
        var status = isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        if (!_access.IsOperator(context))
        {
            // Probes come from elsewhere in a cluster and learn one word.
            return Results.Json(new { ready = isReady }, statusCode: status);
        }

        var reload = _reloader.Status;
        var observing = _snapshots.Current.Policies.Values.Where(static p => !p.Observing.IsEmpty).OrderBy(static p => p.RouteId, StringComparer.Ordinal)
            .Select(static p => new { route = p.RouteId, checks = p.Observing });
        return Results.Json(new { ready = isReady, revision = reload.Revision, newestFileTaken = reload.Successful, reasons, missing, observing },
            statusCode: status);
    }

    private IResult List(HttpContext context)
    {
        var query = context.Request.Query;
        RejectReason? reason = null;
        if (query["reason"].ToString() is { Length: > 0 } slug)
        {
            if (!RejectReasons.TryParse(slug, out var known))
            {
                return Results.Problem("no reason has this name; the README lists them", statusCode: StatusCodes.Status400BadRequest, title: "unknown reason");
            }

            reason = known;
        }

        if (!TryRead(query["limit"].ToString(), 1, Refusals.MostOnAPage, 50, out var limit))
        {
            return Results.Problem($"limit is a number from 1 to {Refusals.MostOnAPage}", statusCode: StatusCodes.Status400BadRequest, title: "bad limit");
        }

        if (!TryRead(query["before"].ToString(), 1, long.MaxValue, 0, out var before))
        {
            return Results.Problem("before is the number of an entry: the next of the page before", statusCode: StatusCodes.Status400BadRequest,
                title: "bad page");
        }

        return Results.Json(_refusals.List(query["route"].ToString() is { Length: > 0 } route ? route : null, reason, before == 0 ? null : before, (int)limit));
    }

    private IResult Find(long number) => _refusals.Find(number) is { } found
        ? Results.Json(found)
        : Results.Problem("the journal does not hold this entry, or no longer", statusCode: StatusCodes.Status404NotFound, title: "unknown refusal");

    private async Task<IResult> ForgetAsync(string route, HttpContext context)
    {
        if (!_snapshots.Current.Policies.ContainsKey(route))
        {
            return Results.Problem($"there is no route {route}", statusCode: StatusCodes.Status404NotFound, title: "unknown route");
        }

        if (!EventKey.TryParse(context.Request.Query["key"].ToString(), out var key))
        {
            return Results.Problem("add ?key=<64 hex digits>: the event key from the log line or the X-Webhook-Event-Key header",
                statusCode: StatusCodes.Status400BadRequest, title: "no event key");
        }

        try
        {
            return await _replay.ForgetAsync(key)
                ? Results.Json(new { forgotten = key.ToString() })
                : Results.Problem("no event of this key is remembered here: its next copy is delivered anyway", statusCode: StatusCodes.Status404NotFound,
                    title: "unknown event");
        }
        catch (ReplayStoreException)
        {
            return Results.Problem("the replay store is away and may still remember the event; try again", statusCode: StatusCodes.Status503ServiceUnavailable,
                title: "store away");
        }
    }

    /// <summary>An empty text gives <paramref name="absent"/>.</summary>
    private static bool TryRead(string text, long least, long most, long absent, out long value)
    {
        value = absent;
        return text.Length == 0 || (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most);
    }
}
