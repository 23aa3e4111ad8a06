using WebhookEdge.Configuration;

namespace WebhookEdge.Authentication;

/// <summary>What is wrong with one scheme, by the field it is wrong in.</summary>
internal sealed class SchemeFaults(string path)
{
    /// <summary>The place of the scheme.</summary>
    public string Path => path;

    public List<ConfigProblem> Problems { get; } = [];

    public bool Faulty(string field) => Problems.Exists(problem => !problem.IsWarning && problem.Path.StartsWith($"{path}.{field}", StringComparison.Ordinal));

    public void Fault(string field, string message, string hint) => Problems.Add(new($"{path}.{field}", message, hint));

    public void Warn(string field, string message, string hint) => Problems.Add(new($"{path}.{field}", message, hint, IsWarning: true));
}
