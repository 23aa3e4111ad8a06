namespace WebhookEdge.Configuration;

/// <summary>One thing wrong with a file: where (<c>routes.verisync.secrets[0]</c>), what, and the way out. Never holds a secret's value.</summary>
internal sealed record ConfigProblem(string Path, string Message, string? Hint = null, bool IsWarning = false)
{
    public override string ToString() => (Path.Length == 0 ? "" : Path + ": ") + Message + (Hint is null ? "" : "; " + Hint);
}
