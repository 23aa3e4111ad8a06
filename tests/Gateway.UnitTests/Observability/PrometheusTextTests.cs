using System.Text;
using WebhookEdge.Observability;

namespace WebhookEdge.UnitTests.Observability;

public sealed class PrometheusTextTests
{
    [Theory]
    [InlineData("webhookedge.requests", "{request}", "counter", "webhookedge_requests_total")]
    [InlineData("webhookedge.request.duration", "s", "histogram", "webhookedge_request_duration_seconds")]
    [InlineData("webhookedge.buffered", "By", "gauge", "webhookedge_buffered_bytes")]
    [InlineData("size_bytes", "By", "gauge", "size_bytes")]
    [InlineData("sent_total", "By", "counter", "sent_total_bytes_total")]
    [InlineData("cpu.utilization", "1", "gauge", "cpu_utilization_ratio")]
    [InlineData("cpu.utilization", "1", "counter", "cpu_utilization_total")]
    [InlineData("disk.io", "By/s", "gauge", "disk_io_bytes_per_second")]
    [InlineData("jobs", "{job}/min", "gauge", "jobs_per_minute")]
    [InlineData("load", "%", "gauge", "load_percent")]
    [InlineData("strange", "{a", "gauge", "strange_a")]
    [InlineData("odd", "foo-bar", "gauge", "odd_foo_bar")]
    [InlineData("2xx--answers..of:x", null, "gauge", "_2xx_answers_of:x")]
    [InlineData("größe", null, "gauge", "gr_e")]
    [InlineData("plain", "", "gauge", "plain")]
    public void Names_follow_the_conventions(string instrument, string? unit, string type, string expected) =>
        Assert.Equal(expected, PrometheusText.NameOf(instrument, unit, type == "counter", type == "gauge"));

    [Fact]
    public void Labels_are_sorted_escaped_and_joined_where_two_become_one()
    {
        var labels = PrometheusText.LabelsOf([new("route", "a\\b\"c\nd"), new("http.status", 200), new("a.b", "x"), new("a-b", true), new("1st", 1.5),
            new("none", null)]);

        Assert.Equal("""_1st="1.5",a_b="x;true",http_status="200",none="",route="a\\b\"c\nd" """.TrimEnd(), labels);
    }

    [Fact]
    public void Lines_are_written_as_the_format_says()
    {
        var text = new PrometheusText();

        text.Head("a_total", "counter", "Back\\slash and\nline.");
        text.Sample("a_total", "", "", 12);
        text.Sample("h", "_bucket", "route=\"x\"", 3, 0.25);
        text.Sample("h", "_bucket", "", 4, double.PositiveInfinity);
        text.Sample("h", "_sum", "", 1234567.25);
        text.Sample("g", "", "", double.NegativeInfinity);

        Assert.Equal(
            "# HELP a_total Back\\\\slash and\\nline.\n# TYPE a_total counter\na_total 12\nh_bucket{route=\"x\",le=\"0.25\"} 3\nh_bucket{le=\"+Inf\"} "
            + "4\nh_sum 1234567.25\ng -Inf\n",
            Encoding.UTF8.GetString(text.Take()));
        Assert.Empty(text.Take());
    }
}
