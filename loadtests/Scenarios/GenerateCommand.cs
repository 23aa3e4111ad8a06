using System.CommandLine;
using WebhookEdge.Primitives;

namespace WebhookEdge.LoadTests;

/// <summary><c>generate</c>: signed requests in a file. Exit code 0 when the file was written, 1 when an argument is wrong or the file cannot be written.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var count = new Option<int>("--count", "-n") { Description = "How many requests to make.", DefaultValueFactory = _ => 10_000 };
        var size = new Option<int>("--size") { Description = "Body size in bytes; 600 and 12288 are the sizes the reports use.", DefaultValueFactory = _ => 600 };
        var style = new Option<string>("--style") { Description = "How to sign: github, real-id, cr3dentials or verisync.", DefaultValueFactory = _ => SigningStyle.GitHub.Name };
        var secret = new Option<string>("--secret") { Description = "Where the signing secret is: env:NAME or file:PATH (one final newline is not part of it).", Required = true };
        var host = new Option<string>("--host") { Description = "Value of the Host header.", DefaultValueFactory = _ => "127.0.0.1:8080" };
        var path = new Option<string?>("--path") { Description = "Request target, starting with a slash; without it the path that `routes` gives the style, /hooks/github say." };
        var seed = new Option<int>("--seed") { Description = "Another seed gives other bodies: use a new one for every run against the same replay store.", DefaultValueFactory = _ => 1 };
        var forged = new Option<bool>("--forged") { Description = "Make every signature wrong in its last digit." };
        var raw = new Option<bool>("--raw") { Description = "Leave out the length before each request: plain HTTP/1.1 requests, one after the other." };
        var output = new Option<FileInfo>("--out", "-o") { Description = "The file to write; an existing one is replaced.", Required = true };

        Arguments.Within(count, 1);
        Arguments.Within(size, EventBody.MinSize, 64 << 20);
        style.AcceptOnlyFromAmong([.. SigningStyle.All.Select(known => known.Name)]);
        Arguments.NoBlanks(host);
        Arguments.NoBlanks(path!);
        path.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not ['/', ..])
            {
                result.AddError("--path must start with a slash");
            }
        });

        var command = new Command("generate", "Make signed requests and write them to a file, for presigned.lua or any other sender.")
        {
            count, size, style, secret, host, path, seed, forged, raw, output,
        };
        command.SetAction(parsed =>
        {
            var error = parsed.InvocationConfiguration.Error;
            if (!SecretReference.TryParse(parsed.GetValue(secret), out var reference))
            {
                error.WriteLine("--secret: write env:NAME or file:PATH, a secret does not belong on a command line");
                return 1;
            }

            if (reference.Resolve(out var fault) is not { Length: > 0 } key)
            {
                error.WriteLine($"--secret: {fault ?? reference.Text + " is empty"}");
                return 1;
            }

            var chosen = SigningStyle.All.Single(known => known.Name == parsed.GetValue(style));
            var requests = new SignedRequests(EventBody.Filled("generated", chosen, parsed.GetValue(size)), key, parsed.GetValue(path) ?? LoadRoutes.PathOf(chosen), parsed.GetValue(seed));
            var made = Enumerable.Range(0, parsed.GetValue(count))
                .Select(number => parsed.GetValue(forged) ? requests.Make(number).Forge() : requests.Make(number))
                .Select(request => request.ToWire(parsed.GetValue(host)!));
            var file = parsed.GetValue(output)!;
            try
            {
                using var stream = new BufferedStream(file.Create(), 1 << 20);
                RequestFile.Write(stream, made, withLengths: !parsed.GetValue(raw));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                error.WriteLine($"--out: {e.Message}");
                return 1;
            }

            parsed.InvocationConfiguration.Output.WriteLine($"{parsed.GetValue(count)} requests, {chosen.Name}, {parsed.GetValue(size)} byte bodies, to {file.FullName}");
            return 0;
        });
        return command;
    }
}
