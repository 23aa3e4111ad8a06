using WebhookEdge.Configuration;

namespace WebhookEdge.Hosting;

/// <summary>routes.json has errors; the gateway does not start.</summary>
/// <param name="problems">All of them, warnings included.</param>
/// <param name="logged">They are in the log already, because it is for machines and a second form beside it would break its lines.</param>
internal sealed class ConfigurationException(IReadOnlyList<ConfigProblem> problems, bool logged = false) : Exception("the configuration has errors: "
    + string.Join(" | ", problems.Where(static p => !p.IsWarning)))
{
    public IReadOnlyList<ConfigProblem> Problems { get; } = problems;

    public bool Logged { get; } = logged;
}
