using WebhookEdge.LoadTests;
using WebhookEdge.TestKit;

namespace WebhookEdge.UnitTests.LoadTests;

/// <summary>NBomber deletes the folder it reports into: it must never be one of the user's.</summary>
public sealed class ReportFolderTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void NBomber_gets_a_folder_of_its_own_beneath_the_one_that_was_named()
    {
        _directory.Write("thesis.txt", "years of work");

        var report = ReportFolder.Prepare(_directory.Path, out var fault);

        Assert.Null(fault);
        Assert.StartsWith(_directory.PathOf(ReportFolder.Name) + Path.DirectorySeparatorChar, report, StringComparison.Ordinal);
        Assert.False(Directory.Exists(report));
    }

    [Fact]
    public void What_NBomber_deletes_and_fills_is_taken_again_the_next_time()
    {
        for (var run = 0; run < 3; run++)
        {
            var report = ReportFolder.Prepare(_directory.Path, out _)!;

            // As NBomber 4.1.2 does.
            if (Directory.Exists(report))
            {
                Directory.Delete(report, recursive: true);
            }

            Directory.CreateDirectory(report);
            File.WriteAllText(Path.Combine(report, "report.html"), "<html>");
        }

        Assert.NotNull(ReportFolder.Prepare(_directory.Path, out _));
    }

    [Fact]
    public void A_folder_that_is_there_and_not_ours_is_refused_and_left_alone()
    {
        var file = _directory.Write(ReportFolder.Name + "/report/mine.txt", "mine");

        Assert.Null(ReportFolder.Prepare(_directory.Path, out var fault));
        Assert.Contains("not made by this program", fault, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(file));
        Assert.Equal(["mine.txt"], Directory.GetFileSystemEntries(Path.GetDirectoryName(file)!).Select(Path.GetFileName));
    }

    [Fact]
    public void A_file_or_a_link_in_its_place_is_refused()
    {
        var file = _directory.Write("a/" + ReportFolder.Name, "a file");
        Assert.Null(ReportFolder.Prepare(_directory.PathOf("a"), out _));
        Assert.True(File.Exists(file));

        var elsewhere = ReportFolder.Prepare(_directory.PathOf("elsewhere"), out _)!;
        _directory.Write("b/x", "");
        Directory.CreateSymbolicLink(_directory.PathOf("b/" + ReportFolder.Name), Path.GetDirectoryName(elsewhere)!);
        Assert.Null(ReportFolder.Prepare(_directory.PathOf("b"), out _));

        Directory.CreateSymbolicLink(elsewhere, _directory.PathOf("b"));
        Assert.Null(ReportFolder.Prepare(_directory.PathOf("elsewhere"), out _));
        Assert.True(File.Exists(_directory.PathOf("b/x")));
    }
}
