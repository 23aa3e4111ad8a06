using System.CommandLine;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;
using WebhookEdge.Ingress;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Cli;

/// <summary>
/// <c>explain</c>: puts a recorded request through a route's own checks, one by one, and says for a signature that does not match which common mistake
/// would make it. Connects to nothing but what a scheme's keys need; never prints a secret. Exit code 0: accepted; 1: refused; 2: the input cannot be used.
/// </summary>
internal static class ExplainCommand
{
    public const string Name = "explain";

    public const int Unusable = 2;

    private const int Accepted = 0;
    private const int Refused = 1;

    public static Command Create()
    {
        var config = ServeCommand.ConfigOption();
        var route = new Option<string>("--route") { Description = "Id of the route.", Required = true };
        var request = new Option<FileInfo>("--request") { Description = "The request: raw HTTP, with its PROXY header if it had one, the output of curl -v, "
            + "or a HAR entry.", Required = true };
        var body = new Option<FileInfo?>("--body") { Description = "The body, byte for byte, where the request's file does not hold it (curl -v shows none)." };
        var from = new Option<string?>("--from") { Description = "The address the connection came from, which is a proxy's where one is in front; without "
            + "it, address rules are not judged." };
        var at = new Option<string?>("--at") { Description = "When it came: Unix seconds or ISO 8601. Default: now." };
        var secret = new Option<string[]>("--secret") { Description = "A further reference (env:NAME or file:PATH) to try, e.g. the secret before a "
            + "rotation; may be repeated." };
        var command = new Command(Name, "Say what the gateway makes of a recorded request, and why.") { config, route, request, body, from, at, secret };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            new(parsed.GetValue(config)!, parsed.GetValue(route)!, parsed.GetValue(request)!, parsed.GetValue(body), parsed.GetValue(from),
                parsed.GetValue(at), parsed.GetValue(secret) ?? []), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(Question question, CancellationToken cancellationToken)
    {
        if (await ReadAsync(question, cancellationToken) is not var (recorded, proxyHeader))
        {
            return Unusable;
        }

        var now = TimeProvider.System.GetUtcNow();
        if (question.At is { } at && !TryReadTime(at, out now))
        {
            return await UnusableAsync($"--at {at}: neither Unix seconds nor an ISO 8601 time");
        }

        IPAddress? peer = null;
        if (question.From is { } from && !IPAddress.TryParse(from, out peer))
        {
            return await UnusableAsync($"--from {from}: not an IP address");
        }

        var time = new StoppedTime(now);
        await using var gateway = new OfflineGateway(time);
        var loaded = await gateway.Loader.LoadAsync(question.Config, CompileMode.WithSecrets, cancellationToken);
        if (loaded.Compiled is not { } compiled)
        {
            Problems.Print(question.Config, loaded.Problems);
            return Unusable;
        }

        // From pools of its own, which nobody refreshes.
        var snapshot = gateway.Pools.Acquire(compiled);
        if (!snapshot.Policies.TryGetValue(question.Route, out var policy))
        {
            return await UnusableAsync($"there is no route \"{question.Route}\"; known: "
                + $"{string.Join(", ", snapshot.Policies.Keys.Order(StringComparer.Ordinal))}");
        }

        if (peer is not null && proxyHeader is { } header)
        {
            if (policy.Addresses.ProxyPeers?.Contains(ClientAddress.From(peer)) != true)
            {
                return await UnusableAsync(
                    $"the request begins with a PROXY header, and {peer} is no proxy whose header the gateway reads: it would answer 400");
            }

            peer = header.PeerBehind(peer);
        }

        IHeaderDictionary head = HeadersOf(recorded);
        var target = RawTarget.OriginForm(recorded.Target,
            head.Host.Count > 0 ? head.Host.ToString() : Uri.TryCreate(recorded.Target, UriKind.Absolute, out var uri) ? uri.Authority : "");
        var onTarget = JudgeTarget(policy, recorded.Method, target);
        recorded = recorded with { Target = target ?? recorded.Target };
        var client = question.From is null ? null : policy.Addresses.Explain(peer, head);
        var rows = await DecideAsync(policy, recorded, onTarget, peer, judgeAddress: question.From is not null, cancellationToken);
        ExplainReport.Print(question.Route, policy, recorded, now, rows, client);
        var refused = rows.Exists(static row => row.Outcome == Judgement.Refused);
        if (rows.Exists(static row => row.Outcome is Judgement.Refused or Judgement.Observed && row.IsSignature))
        {
            var finder = new MistakeFinder(loaded.File!, question.Route, recorded, now, question.Secrets);
            ExplainReport.PrintMistakes(await finder.FindAsync(cancellationToken), recorded);
        }

        return refused ? Refused : Accepted;
    }

    private static async Task<(RecordedRequest Request, ProxyHeader? ProxyHeader)?> ReadAsync(Question question, CancellationToken cancellationToken)
    {
        try
        {
            var bytes = await InputFile.ReadAsync(question.Request.FullName, cancellationToken);
            ProxyHeader? header = ProxyHeaderParser.Parse(bytes, out var found) == ProxyHeaderStatus.Complete ? found : null;
            var recorded = RecordedRequest.Read(bytes[(header?.Length ?? 0)..], out var fault);
            if (recorded is null)
            {
                await UnusableAsync($"{question.Request.Name}: {fault}");
                return null;
            }

            return (question.Body is null ? recorded :
                recorded with { Body = await InputFile.ReadAsync(question.Body.FullName, cancellationToken) }, header);
        }
        catch (IOException e)
        {
            await UnusableAsync(e.Message);
            return null;
        }
    }

    private static async Task<List<ExplainRow>> DecideAsync(RoutePolicy policy, RecordedRequest recorded, ExplainRow onTarget, IPAddress? peer,
        bool judgeAddress, CancellationToken cancellationToken)
    {
        var headers = HeadersOf(recorded);
        var delivery = new Delivery();
        var client = policy.Addresses.Resolve(peer, headers);
        delivery.Open(policy, recorded.Method, recorded.Target, client, headers, recorded.Body.Length, PipeReader.Create(new(recorded.Body)));
        delivery.Ambiguous = RequestFraming.IsAmbiguous(recorded.Method, headers, isHttp2: false)
            || headers["Content-Length"].Any(static length => length.AsSpan().ContainsAnyExceptInRange('0', '9'));
        var rows = new List<ExplainRow> { onTarget };
        var stopped = false;
        foreach (var check in policy.Checks)
        {
            var name = StageNames.Of(check.Stage);
            var what = NameOf(check);
            var refusedBefore = rows.Exists(static row => row.Outcome is Judgement.Refused or Judgement.Observed);
            if (stopped || (check.Stage >= Stage.RouteRate && refusedBefore))
            {
                rows.Add(new(name, what, Judgement.NotReached, "", ""));
                continue;
            }

            if (check.Stage is Stage.AddressRate or Stage.Address && !judgeAddress)
            {
                rows.Add(new(name, what, Judgement.NotJudged, "", "--from ADDRESS says where the request came from"));
                continue;
            }

            var (before, verdict) = (delivery.WouldRefuse, await check.CheckAsync(delivery, cancellationToken));
            rows.Add(RowOf(check, name, what, verdict, observed: delivery.WouldRefuse != before ? delivery.WouldRefuse : RejectReason.NotDecided));
            stopped |= verdict.Answer is not null || (check.Stage == Stage.Payload && !verdict.Passed);
            delivery.WouldRefuse = RejectReason.NotDecided;
        }

        // The key was claimed in this process's memory only.
        if (delivery.Claim is { } claim)
        {
            await claim.SettleAsync(default);
        }

        return rows;
    }

    private static ExplainRow JudgeTarget(RoutePolicy policy, string method, string? target)
    {
        var verdict = RawTarget.Judge(policy, method, target);
        if (verdict.Passed)
        {
            return new(StageNames.Of(Stage.Routing), "path", Judgement.Passed, "", "the target is the route's");
        }

        // Routing decodes the path, and ignores case and a final slash; what it would not bring to this route is no route's.
        var path = Uri.UnescapeDataString((target ?? "").Split('?')[0]);
        var near = policy.IsPrefix ? path.StartsWith(policy.Path, StringComparison.OrdinalIgnoreCase)
            : path.TrimEnd('/').Equals(policy.Path.TrimEnd('/'), StringComparison.OrdinalIgnoreCase);
        return verdict.Reason == RejectReason.PathRefused && !near
            ? new(StageNames.Of(Stage.Routing), "path", Judgement.Refused, RejectReason.RouteUnknown.Describe().Slug,
                $"the target is not {policy.Path}{(policy.IsPrefix ? "…" : "")}, compared byte by byte")
            : new(StageNames.Of(Stage.Routing), "path", Judgement.Refused, verdict.Reason.Describe().Slug, verdict.Detail ?? "");
    }

    private static ExplainRow RowOf(IGateCheck check, string stage, string what, Verdict verdict, RejectReason observed)
    {
        var isSignature = check.Stage is Stage.Timestamp or Stage.Signature or Stage.Credential;
        if (verdict.Answer is { } answer)
        {
            return new(stage, what, Judgement.Answered, $"{answer.Status}", "a challenge: answered by the gateway, not forwarded");
        }

        if (verdict.Passed)
        {
            return observed == RejectReason.NotDecided
                ? new(stage, what, Judgement.Passed, "", "")
                : new(stage, what, Judgement.Observed, observed.Describe().Slug, "observe mode lets it through") { IsSignature = isSignature };
        }

        // Lists are loaded by a serving gateway; here there is none, which says nothing about the request.
        return verdict.Reason == RejectReason.AllowListUnavailable
            ? new(stage, what, Judgement.NotJudged, "", "the route's address lists are fetched by a serving gateway only")
            : new(stage, what, Judgement.Refused, verdict.Reason.Describe().Slug, verdict.Detail ?? "") { IsSignature = isSignature };
    }

    private static string NameOf(IGateCheck check)
    {
        var name = check.GetType().Name;
        return name.EndsWith("Check", StringComparison.Ordinal) ? name[..^5] : name;
    }

    internal static HeaderDictionary HeadersOf(RecordedRequest recorded)
    {
        var headers = new HeaderDictionary();
        foreach (var (name, value) in recorded.Headers)
        {
            headers[name] = StringValues.Concat(headers[name], value);
        }

        return headers;
    }

    private static bool TryReadTime(string text, out DateTimeOffset time)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < 253_402_300_800)
        {
            time = DateTimeOffset.FromUnixTimeSeconds(number);
            return true;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }

    private static async Task<int> UnusableAsync(string message)
    {
        await Console.Error.WriteLineAsync($"webhookedge: {message}");
        return Unusable;
    }

    private sealed record Question(string Config, string Route, FileInfo Request, FileInfo? Body, string? From, string? At, string[] Secrets);
}

/// <summary>The time of a recorded request; timers run on.</summary>
internal sealed class StoppedTime(DateTimeOffset now) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => now;
}
