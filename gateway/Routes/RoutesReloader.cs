using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes;

/// <summary>How the last reading of routes.json went.</summary>
/// <param name="Revision">The revision in force.</param>
/// <param name="Successful">False when a newer file was refused.</param>
/// <param name="Problems">What was wrong with it; warnings when it was taken.</param>
internal sealed record ReloadStatus(string Revision, bool Successful, IReadOnlyList<ConfigProblem> Problems, DateTimeOffset At);

/// <param name="Status">The last reading.</param>
/// <param name="TakenAt">When the revision in force was taken.</param>
/// <param name="LastRefusal">The newest file that was refused since the process started, whether or not a good one came after it.</param>
internal sealed record ReloadHistory(ReloadStatus Status, DateTimeOffset TakenAt, ReloadStatus? LastRefusal);

/// <summary>
/// Watches routes.json and the secret files it names; reads, validates, compiles and publishes. A bad file changes nothing and is not the end:
/// the watcher goes on, and the next good one is taken. It compares contents instead of listening for events: renames over the file, writes in
/// place and Kubernetes' symlink swaps then all look the same, on every file system.
/// </summary>
internal sealed class RoutesReloader(string path, RoutesLoader loader, ResourcePools pools, SnapshotProvider provider, PublishedEndpoints endpoints,
    GatewayMetrics metrics, TimeProvider time, ILogger<RoutesReloader> logger) : BackgroundService
{
    private static readonly byte[] NoFile = [0];
    private static readonly TimeSpan PollEvery = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _one = new(1, 1);
    private string _taken = "";
    private IReadOnlyList<string> _secretFiles = [];
    private ReloadHistory _history = new(new("none", false, [], default), default, null);

    /// <summary>How reading went, as one object: who looks at two of its values sees them of the same moment.</summary>
    public ReloadHistory History => Volatile.Read(ref _history);

    public ReloadStatus Status => History.Status;

    /// <summary>Reads the first revision. Without one the gateway does not start.</summary>
    public async Task<IReadOnlyList<ConfigProblem>> StartWithAsync(CancellationToken cancellationToken)
    {
        var loaded = await loader.LoadAsync(path, CompileMode.WithSecrets, cancellationToken);
        Take(loaded);
        if (loaded.Compiled is { } compiled)
        {
            var snapshot = pools.Acquire(compiled);
            provider.Start(snapshot);
            await pools.AppliedAsync(snapshot);
            Report(snapshot.RevisionId, successful: true, loaded.Problems);
            Warn(loaded.Problems);
            logger.WarnOfObserving(snapshot);
        }

        return loaded.Problems;
    }

    /// <summary>Takes what is in the files now, if it differs from what was last looked at. True when a new revision is in force.</summary>
    public async Task<bool> ReloadOnceAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            var routes = ReadRoutes();
            var digest = Digest(routes);
            if (digest == _taken)
            {
                return false;
            }

            // Before reading: what makes reading fail is tried again when it has changed, and not at every look.
            _taken = digest;
            if (routes is { Text: null, CanBeOpened: true })
            {
                Refuse([new("", $"{path}: no regular file, or larger than {RoutesLoader.LargestFile >> 20} MiB", "put a file there")]);
                return false;
            }

            // The bytes that were looked at; why there are none is told by who reads the path.
            var loaded = await (routes.Text is { } text ? loader.LoadAsync(text, CompileMode.WithSecrets, cancellationToken)
                : loader.LoadAsync(path, CompileMode.WithSecrets, cancellationToken));
            Take(loaded);
            if (loaded.Compiled is not { } compiled)
            {
                Refuse(loaded.Problems);
                return false;
            }

            var snapshot = pools.Acquire(compiled).Keeping(provider.Current);
            if (snapshot.RevisionId == provider.Current.RevisionId && snapshot.HasPoliciesOf(provider.Current))
            {
                await pools.AppliedAsync(snapshot);
                if (!Status.Successful)
                {
                    logger.RoutesAsBefore(snapshot.RevisionId);
                    Warn(loaded.Problems);
                }

                Report(snapshot.RevisionId, successful: true, loaded.Problems);
                return false;
            }

            var changes = RouteChanges.Between(provider.Current, snapshot);
            if (await provider.PublishAsync(snapshot, time, cancellationToken) is { } fault)
            {
                await pools.RevertAsync(provider.Current);
                Refuse([.. loaded.Problems, new("routes", fault.Message)]);
                return false;
            }

            if (endpoints.Strays(snapshot) is { Count: > 0 } strays)
            {
                // Nothing is let go: what the endpoints hold may be of any earlier revision.
                var names = RouteChanges.Line(strays);
                logger.RoutesStray(names, snapshot.RevisionId);
                Report(snapshot.RevisionId, successful: false,
                    [.. loaded.Problems, new("routes", $"requests still meet the rules of an earlier revision on {names}", "restart the gateway")]);
                return true;
            }

            await pools.AppliedAsync(snapshot);
            Report(snapshot.RevisionId, successful: true, loaded.Problems);
            logger.RoutesReloaded(snapshot.RevisionId, snapshot.Routes.Count, RouteChanges.Line(changes.Added), RouteChanges.Line(changes.Removed),
                RouteChanges.Line(changes.Changed));
            Warn(loaded.Problems);
            logger.WarnOfObserving(snapshot);
            return true;
        }
        finally
        {
            _one.Release();
        }
    }

    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(PollEvery, time);
        var seen = _taken;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                // A file that is being written in pieces differs from one look to the next; it is taken once it has held still.
                var digest = Digest(ReadRoutes());
                var settled = digest == seen;
                seen = digest;
                if (settled && digest != _taken)
                {
                    await ReloadOnceAsync(stoppingToken);
                }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                logger.ReloadFailed(e);
                Report(provider.Current.RevisionId, successful: false, [new("", $"reading it failed with {e.GetType().Name}", "see the log")]);
            }
        }
    }

    /// <summary>Notes what was read, byte for byte: what changes from then on differs from it, even in the moment between reading and this.</summary>
    private void Take(LoadedRoutes loaded)
    {
        // A file that could not be read as routes names no secrets; those of before are looked at until it can.
        if (loaded.Digest is { } digest && (loaded.SecretFiles.Count > 0 || _secretFiles.Count == 0))
        {
            _secretFiles = [.. loaded.SecretFiles.Keys];
            _taken = Combine(digest, loaded.SecretFiles);
        }
    }

    private void Refuse(IReadOnlyList<ConfigProblem> problems)
    {
        foreach (var problem in problems)
        {
            if (!problem.IsWarning)
            {
                logger.RoutesRefused(problem.ToString(), provider.Current.RevisionId);
            }
        }

        Report(provider.Current.RevisionId, successful: false, problems);
    }

    private void Warn(IReadOnlyList<ConfigProblem> problems)
    {
        foreach (var problem in problems)
        {
            if (problem.IsWarning)
            {
                logger.RoutesWarning(problem.ToString());
            }
        }
    }

    private void Report(string revision, bool successful, IReadOnlyList<ConfigProblem> problems)
    {
        var now = time.GetUtcNow();
        var before = History;
        var status = new ReloadStatus(revision, successful, problems, now);
        Volatile.Write(ref _history,
            new(status, successful && revision != before.Status.Revision ? now : before.TakenAt, successful ? before.LastRefusal : status));
        metrics.Configuration.Reloaded(successful, provider.Current.Routes.Count, revision);
    }

    /// <summary>What stands in routes.json now. No text: no regular file or too large a one when it can be opened, else not there or not readable.</summary>
    private (byte[]? Text, bool CanBeOpened) ReadRoutes()
    {
        try
        {
            return (RegularFile.Read(path, RoutesLoader.LargestFile), true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, false);
        }
    }

    /// <summary>One digest of all contents; a file that cannot be read counts as such.</summary>
    private string Digest((byte[]? Text, bool CanBeOpened) routes) => Combine(
        routes.Text is { } text ? SHA256.HashData(text) : routes.CanBeOpened ? NoFile : [],
        _secretFiles.Select(static file => KeyValuePair.Create(file, SecretReference.FileDigest(file))));

    private static string Combine(byte[] routes, IEnumerable<KeyValuePair<string, byte[]>> secretFiles)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(routes);
        foreach (var (file, digest) in secretFiles)
        {
            hash.AppendData(SHA256.HashData(Encoding.UTF8.GetBytes(file)));
            hash.AppendData(digest);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
