using WebhookEdge.Configuration;

namespace WebhookEdge.Routes.Rules;

/// <summary>What the rules of routes.json find, errors and warnings, in the order in which they look.</summary>
internal sealed class RuleReport
{
    public List<ConfigProblem> Problems { get; } = [];

    public void Error(string path, string message, string? hint = null) => Problems.Add(new(path, message, hint));

    public void Error(string path, (string Message, string? Hint) fault) => Problems.Add(new(path, fault.Message, fault.Hint));

    public void Warn(string path, string message, string? hint = null) => Problems.Add(new(path, message, hint, IsWarning: true));

    /// <summary>False, and reported, when a list was written without anything in it.</summary>
    public bool NotEmpty(string path, IReadOnlyCollection<object>? list, string hint)
    {
        if (list is { Count: 0 })
        {
            Error(path, "the list is empty", hint);
            return false;
        }

        return true;
    }

    public void Repeats(string path, IReadOnlyList<string>? list)
    {
        for (var i = 1; i < list?.Count; i++)
        {
            if (list.Take(i).Contains(list[i]))
            {
                Error(JsonPath.Item(path, i), "written twice", "keep one of them");
            }
        }
    }
}
