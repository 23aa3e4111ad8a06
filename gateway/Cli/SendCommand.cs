using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using WebhookEdge.Authentication;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Routes;

namespace WebhookEdge.Cli;

/// <summary>
/// <c>send</c>: a test event to a running gateway, signed as the provider would sign it, or wrong in one chosen way. Exit code 0 when the answer is the one to
/// expect.
/// </summary>
internal static class SendCommand
{
    /// <summary>In bytes; larger bodies are sent when the gateway has asked for them (Expect: 100-continue).</summary>
    private const int LargestUnasked = 64 * 1024;

    private static readonly string[] Variants = ["valid", "forged", "stale", "duplicate", "oversized"];

    public static Command Create()
    {
        var config = ServeCommand.ConfigOption();
        var route = new Option<string>("--route") { Description = "Id of the route.", Required = true };
        var body = new Option<FileInfo?>("--body") { Description = "File to send as it is; default: an event as the provider documents it." };
        var variant = new Option<string>("--as") { Description = "valid, forged (one byte changed after signing), stale (signed an hour ago), duplicate "
            + "(sent twice), oversized (one byte over the cap).", DefaultValueFactory = static _ => "valid" };
        variant.AcceptOnlyFromAmong(Variants);
        var to = new Option<string>("--to") { Description = "The gateway.", DefaultValueFactory = static _ => "http://localhost:8080" };
        var header = new Option<string[]>("--header") { Description = "A further header, NAME: VALUE; may be repeated.",
            AllowMultipleArgumentsPerToken = false };
        var key = new Option<string?>("--key") { Description = "Reference (env:NAME or file:PATH) to the private key, for a scheme whose secret is a public "
            + "one." };
        var command = new Command("send", "Send a signed test event to a running gateway.") { config, route, body, variant, to, header, key };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(config)!, parsed.GetValue(route)!, parsed.GetValue(body), parsed.GetValue(variant)!, parsed.GetValue(to)!,
            parsed.GetValue(header) ?? [], parsed.GetValue(key), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string config, string id, FileInfo? bodyFile, string variant, string to, string[] further, string? key,
        CancellationToken cancellationToken)
    {
        if (!Verbs.TryReadGateway(to, out var gateway))
        {
            await Console.Error.WriteLineAsync($"webhookedge: --to {to}: not an http or https URL; write for example http://localhost:8080");
            return 1;
        }

        if (Array.Find(further, static h => h.IndexOf(':', StringComparison.Ordinal) is var colon
            && (colon < 1 || !RoutesSyntax.IsToken(h[..colon]) || h.Any(char.IsControl))) is { } odd)
        {
            await Console.Error.WriteLineAsync($"webhookedge: --header {Quoted.Name(odd)}: no name and value in one line; write --header \"NAME: VALUE\"");
            return 1;
        }

        RoutesFile? file;
        byte[] body;
        RouteSigner? signer;
        var now = TimeProvider.System.GetUtcNow();
        var eventId = "evt_" + Guid.NewGuid().ToString("n", CultureInfo.InvariantCulture)[..16];
        try
        {
            file = RoutesFileReader.ReadAndValidate(await InputFile.ReadAsync(config, cancellationToken), out var problems);
            if (file is null)
            {
                Problems.Print(config, problems);
                return 1;
            }

            signer = RouteSigner.Create(file, id, key, out var problem);
            if (signer is null)
            {
                Problems.Print(config, [problem!]);
                return 1;
            }

            body = bodyFile is null ? SampleEvents.Create(signer.Route.Provider, now, eventId)
                : await InputFile.ReadAsync(bodyFile.FullName, cancellationToken);
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync($"webhookedge: {e.Message}");
            return 1;
        }

        if (variant == "stale" && !signer.SignsTime)
        {
            await Console.Error.WriteLineAsync($"webhookedge: route {id} has no signed time, so no event of it is ever stale; its replay memory is what "
                + "refuses old copies");
            return 1;
        }

        if (variant == "oversized")
        {
            var cap = (signer.Route.MaxBody ?? file.Edge?.Limits?.MaxBody ?? new ByteSize(1024 * 1024)).Bytes;
            Array.Resize(ref body, (int)cap + 1);
        }

        SignedRequest signed;
        try
        {
            signed = signer.SignRequest(body, variant == "stale" ? now.AddHours(-1) : now, eventId);
        }
        catch (ArgumentException e)
        {
            await Console.Error.WriteLineAsync($"webhookedge: {e.Message}");
            return 1;
        }

        if (variant == "forged")
        {
            signed = Forge(signed);
        }

        using var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = gateway };
        var expected = variant switch { "forged" or "stale" => 401, "oversized" => 413, _ => 200 };
        var good = true;
        for (var copy = 1; copy <= (variant == "duplicate" ? 2 : 1); copy++)
        {
            using var request = CreateRequest(signer, signed, further.Select(Split));

            // A refusal of a large body comes before the body has gone out; who sends on regardless may find the connection closed and read no answer.
            request.Headers.ExpectContinue = body.Length > LargestUnasked;
            try
            {
                using var answer = await client.SendAsync(request, cancellationToken);
                var duplicate = answer.Headers.Contains("X-Webhook-Duplicate");
                good &= expected == 200 ? answer.IsSuccessStatusCode && duplicate == (copy == 2) : (int)answer.StatusCode == expected;
                Console.WriteLine($"{signer.Method} {new Uri(client.BaseAddress!, signer.Path)} as {variant}, {signed.Body.Length} bytes: "
                    + $"{(int)answer.StatusCode} {answer.ReasonPhrase}{(duplicate ? ", duplicate" : "")}{RequestId(answer.Headers)}");
                var text = await answer.Content.ReadAsStringAsync(cancellationToken);
                if (text.Length > 0)
                {
                    Console.WriteLine(text.Length > 2000 ? text[..2000] + "…" : text);
                }
            }
            catch (HttpRequestException e)
            {
                await Console.Error.WriteLineAsync($"webhookedge: no answer from {to}: {e.Message}");
                return 1;
            }
        }

        return good ? 0 : 1;
    }

    /// <summary>One byte changed after signing: of the body, near its end; of what a scheme puts into the body, a digit of the signature itself.</summary>
    private static SignedRequest Forge(SignedRequest signed)
    {
        byte[] body = [.. signed.Body];
        var text = System.Text.Encoding.Latin1.GetString(body);
        var inside = Math.Max(text.IndexOf("hmacSignature\":\"", StringComparison.Ordinal) + 16,
            text.IndexOf("\"signature\":\"", StringComparison.Ordinal) + 13);
        var at = signed.Headers.Count == 0 && inside > 16 ? inside : signed.ContentType is null ? body.Length - 1 : body.Length - 8;
        body[at] = body[at] == (byte)'1' ? (byte)'2' : signed.Headers.Count == 0 || signed.ContentType is not null ? (byte)'1' : (byte)(body[at] ^ 0x01);
        return signed with { Body = body };
    }

    private static string RequestId(HttpResponseHeaders headers) => headers.TryGetValues("X-Request-Id", out var ids) ? $", request {ids.First()}" : "";

    private static KeyValuePair<string, string> Split(string header)
    {
        var colon = header.IndexOf(':', StringComparison.Ordinal);
        return new(header[..colon].Trim(), header[(colon + 1)..].Trim());
    }

    public static HttpRequestMessage CreateRequest(RouteSigner signer, SignedRequest signed, IEnumerable<KeyValuePair<string, string>> further)
    {
        var request = CreateRequest(signer, signed.Body, [.. signed.Headers, .. further]);
        request.RequestUri = new(signer.Path + signed.Query, UriKind.Relative);
        if (signed.ContentType is { } type)
        {
            request.Content!.Headers.ContentType = new(type);
        }

        return request;
    }

    public static HttpRequestMessage CreateRequest(RouteSigner signer, byte[] body, IEnumerable<KeyValuePair<string, string>> headers)
    {
        var request = new HttpRequestMessage(new(signer.Method), signer.Path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/json");
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }
}
