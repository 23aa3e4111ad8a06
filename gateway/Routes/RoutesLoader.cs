using System.Security.Cryptography;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using WebhookEdge.Routes.Rules;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Configuration;

namespace WebhookEdge.Routes;

/// <summary>What reading a file came to: routes that can be put into force, or the problems that stand in their way. Nothing else has changed by it.</summary>
internal sealed record LoadedRoutes
{
    public CompiledRoutes? Compiled { get; init; }

    /// <summary>What stands in the file; null when it could not be read as routes.</summary>
    public RoutesFile? File { get; init; }

    public required IReadOnlyList<ConfigProblem> Problems { get; init; }

    /// <summary>Files of secrets whose change is a reason to read again, with the SHA-256 of what was read.</summary>
    public IReadOnlyDictionary<string, byte[]> SecretFiles { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>SHA-256 of the bytes that were read; null when they could not be.</summary>
    public byte[]? Digest { get; init; }
}

/// <summary>Bytes → spec → problems or compiled routes: the one way from a file to a revision, for serving, reloading and <c>validate</c> alike.</summary>
internal sealed class RoutesLoader(RouteCompiler compiler)
{
    /// <summary>Of routes.json while the gateway runs, in bytes.</summary>
    public const int LargestFile = 64 << 20;

    public async Task<LoadedRoutes> LoadAsync(string path, CompileMode mode, CancellationToken cancellationToken)
    {
        byte[] text;
        try
        {
            text = await File.ReadAllBytesAsync(path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var fault = e is FileNotFoundException or DirectoryNotFoundException ? "the file does not exist"
                : $"the file cannot be read: {FileFault.Of(path, e)}";
            return new() { Problems = [new("", $"{path}: {fault}", "name another with --config PATH")] };
        }

        return await LoadAsync(text, mode, cancellationToken);
    }

    public async Task<LoadedRoutes> LoadAsync(byte[] text, CompileMode mode, CancellationToken cancellationToken)
    {
        var digest = SHA256.HashData(text);
        var problems = new List<ConfigProblem>();
        if (StrictJson.ReadPastUnknownKeys<RoutesFile>(text, problems, out var tree, out var holders) is not { } file)
        {
            return new() { Problems = RoutesFileReader.InOrder(problems, tree), Digest = digest };
        }

        var unknown = problems.Count;
        problems.AddRange(RoutesValidator.Validate(file));
        var ruled = problems.Count;
        problems.AddRange(NetworkAdvice.Of(file));

        // Everything is compiled even when something is wrong already, so that one reading shows every problem.
        var compiled = await compiler.CompileAsync(file, problems, mode, cancellationToken);
        var further = RoutesFileReader.WithoutConsequences(problems[unknown..ruled], tree!, holders)
            .Concat(RoutesFileReader.WithoutConsequences(RoutesFileReader.WithoutRepetition(problems[ruled..], problems[..ruled]), tree!, holders));
        var told = problems.Take(unknown).Concat(further);
        return new()
        {
            Compiled = problems.Exists(static p => !p.IsWarning) ? null : compiled,
            File = file,
            Problems = RoutesFileReader.InOrder(told.DistinctBy(static p => (p.Path, p.Message)), tree),
            SecretFiles = compiled.SecretFiles,
            Digest = digest,
        };
    }
}
