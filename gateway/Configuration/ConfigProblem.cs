namespace WebhookEdge.Configuration;

/// <summary>A place in a file, both counted from 1; columns count characters.</summary>
internal readonly record struct FilePosition(int Line, int Column)
{
    public override string ToString() => $"line {Line}, column {Column}";
}

/// <summary>One thing wrong with a file: where (<c>routes.verisync.secrets[0]</c>), what, and the way out. Never holds a secret's value.</summary>
internal sealed record ConfigProblem(string Path, string Message, string? Hint = null, bool IsWarning = false)
{
    /// <summary>Where in the file; null when the problem has no place in one.</summary>
    public FilePosition? At { get; init; }

    public override string ToString() => Place() + Message + (Hint is null ? "" : "; " + Hint);

    private string Place() => (Path.Length, At) switch
    {
        (0, null) => "",
        (0, _) => $"{At}: ",
        (_, null) => $"{Path}: ",
        _ => $"{Path} ({At}): ",
    };
}
