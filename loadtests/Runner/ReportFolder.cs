namespace WebhookEdge.LoadTests;

/// <summary>
/// Where NBomber writes its report. NBomber 4.1.2 deletes the folder it is given, with everything in it, before it starts; so it gets a folder inside one
/// that this program has made and marked, and never one of the user's.
/// </summary>
internal static class ReportFolder
{
    /// <summary>Ours, inside the folder that <c>--report</c> names.</summary>
    public const string Name = "webhookedge-nbomber";

    private const string Marker = ".made-by-webhookedge-loadtests";

    /// <summary>The folder NBomber may delete and fill. Null, with the reason, when what stands in its place is not ours; then nothing was touched.</summary>
    public static string? Prepare(string parent, out string? fault)
    {
        var ours = new DirectoryInfo(Path.Combine(parent, Name));
        var marker = Path.Combine(ours.FullName, Marker);
        if (File.Exists(ours.FullName) || (ours.Exists && (ours.LinkTarget is not null || !File.Exists(marker))))
        {
            fault = $"--report: {ours.FullName} exists and was not made by this program, which would delete what is in it; name another folder, or remove it";
            return null;
        }

        var report = new DirectoryInfo(Path.Combine(ours.FullName, "report"));
        if (report.LinkTarget is not null || File.Exists(report.FullName))
        {
            fault = $"--report: {report.FullName} is not the folder that this program made; remove it";
            return null;
        }

        ours.Create();
        File.WriteAllText(marker, "The load tests may delete the folder beside this file.\n");
        fault = null;
        return report.FullName;
    }
}
