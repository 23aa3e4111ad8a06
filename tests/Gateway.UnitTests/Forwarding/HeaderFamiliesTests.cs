using WebhookEdge.Configuration;
using WebhookEdge.Forwarding;
using WebhookEdge.Providers;

namespace WebhookEdge.UnitTests.Forwarding;

public sealed class HeaderFamiliesTests
{
    [Fact]
    public void Each_name_stands_in_the_table_once_and_as_names_are_compared()
    {
        var names = HeaderFamilies.Rows.SelectMany(static row => row.Names.Concat(row.Beginnings)).ToArray();

        Assert.Equal(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        Assert.All(names, static name => Assert.Equal(name, ForwardedHeaders.Normalise(name)));
        Assert.All(HeaderFamilies.Rows,
            static row => Assert.True(row.Family != HeaderFamily.None && row.Source.Length > 0 && row.Names.Length + row.Beginnings.Length > 0));

        // One letter would take every sender's headers away.
        Assert.All(HeaderFamilies.Rows.SelectMany(static row => row.Beginnings),
            static beginning => Assert.True(beginning.Length >= 6 && char.IsAsciiLetter(beginning[0]), beginning));
    }

    [Fact]
    public void A_name_has_the_family_of_its_row_in_any_case()
    {
        foreach (var row in HeaderFamilies.Rows)
        {
            foreach (var name in row.Names.Concat(row.Beginnings.Select(static beginning => beginning + "Anything")))
            {
                Assert.Equal(row.Family, HeaderFamilies.Of(name));
                Assert.Equal(row.Family, HeaderFamilies.Of(name.ToUpperInvariant()));
                Assert.Equal(row.Family, HeaderFamilies.Of(name.ToLowerInvariant()));
            }
        }
    }

    [Theory]
    [InlineData("X-Signature")]
    [InlineData("X-Hub-Signature-256")]
    [InlineData("X-Real-ID-Signature")]
    [InlineData("X-GitHub-Event")]
    [InlineData("X-Webhook-ID")]
    [InlineData("X-Webhookish")]
    [InlineData("X-Goog-Channel-ID")]
    [InlineData("X-Amz-Sns-Topic-Arn")]
    [InlineData("X-Grafana-Alerting-Signature")]
    [InlineData("CF-Ray")]
    [InlineData("User-Agent")]
    [InlineData("-odd")]
    [InlineData("1")]
    public void A_senders_own_header_has_none(string name) => Assert.Equal(HeaderFamily.None, HeaderFamilies.Of(ForwardedHeaders.Normalise(name)));

    [Fact]
    public void No_known_sender_signs_itself_in_a_header_that_is_removed()
    {
        var headers = Presets.All.SelectMany(static preset => Named(preset.Value.Scheme).Select(header => (preset.Key, header))).ToArray();

        Assert.InRange(headers.Length, 100, 10_000);
        Assert.DoesNotContain(headers,
            static one => HeaderFamilies.Of(ForwardedHeaders.Normalise(one.header)) is not (HeaderFamily.None or HeaderFamily.Gateway));
    }

    [Fact]
    public void The_README_lists_exactly_what_is_removed()
    {
        var readme = File.ReadAllText(Path.Combine(RepositoryRoot.Path, "README.md"));
        var section = readme[readme.IndexOf("Removed from what the sender wrote", StringComparison.Ordinal)..readme.IndexOf(
            "Everything else travels on as it was sent", StringComparison.Ordinal)];
        var listed = System.Text.RegularExpressions.Regex.Matches(section[section.IndexOf("- the client", StringComparison.Ordinal)..], "`([^`]+)`")
            .Select(static match => match.Groups[1].Value).Order(StringComparer.Ordinal);

        var removed = HeaderFamilies.Rows
            .Where(static row => HeaderFamilies.MayBeForwarded(row.Family))
            .SelectMany(static row => row.Names.Concat(row.Beginnings.Select(static beginning => beginning + "*")))
            .Order(StringComparer.Ordinal);

        Assert.Equal(removed, listed);
    }

    private static IEnumerable<string> Named(SchemeSpec? scheme) =>
        (scheme?.Header?.Values ?? [])
        .Concat(new[] { scheme?.Id, scheme?.Timestamp?.From }.Where(static source => source?.StartsWith("header:", StringComparison.Ordinal) == true)
        .Select(static source => source![7..]));
}
