using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Cli;
using WebhookEdge.IntegrationTests.Faults;
using WebhookEdge.TestKit;

namespace WebhookEdge.IntegrationTests.Startup;

/// <summary>What the gateway needs beside routes.json: certificates, a place to keep things, a command line that says what was meant.</summary>
public sealed class SurroundingsTests : IDisposable
{
    private static readonly string[] Anywhere = ["--urls", "https://127.0.0.1:0", "--Admin:Url", "http://127.0.0.1:0"];
    private static readonly DateTimeOffset Now = new TestClock().GetUtcNow();

    private readonly TempDirectory _folder = new();

    public static TheoryData<int, int, LogLevel, string> Times => new()
    {
        { -30, -1, LogLevel.Error, "expired on 2026-11-20 12:00 UTC, and senders refuse it; renew it; a changed file is taken over while running" },
        { 1, 30, LogLevel.Error, "is not valid before 2026-11-22 12:00 UTC, and senders refuse it; look at this machine's clock" },
        { -30, 13, LogLevel.Warning, "expires on 2026-12-04 12:00 UTC; renew it" },
    };

    [Theory]
    [MemberData(nameof(Times))]
    public async Task A_certificate_out_of_its_time_is_told_in_one_line_and_served_with(int fromDay, int toDay, LogLevel level, string fault)
    {
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes(), secrets: Hook.Secrets, time: new TestClock(),
            arguments: ["--urls", "http://127.0.0.1:0", .. TestCertificate.Default(_folder, Now.AddDays(fromDay), Now.AddDays(toDay))]);

        var line = Assert.Single(gateway.Logs.Entries, static line => line.Text.Contains("Kestrel:Certificates:Default", StringComparison.Ordinal));
        Assert.Equal(level, line.Level);
        Assert.Contains($"{_folder.Path}/tls.pem {fault}", line.Text, StringComparison.Ordinal);
        Assert.Equal(Now.AddDays(toDay).ToUnixTimeSeconds(),
            gateway.Metrics.Observe("webhookedge.certificate.expires_timestamp", ("certificate", "Kestrel:Certificates:Default")));
    }

    [Fact]
    public async Task A_good_certificate_is_told_by_the_metric_alone_which_follows_the_file()
    {
        await using var gateway = await TestGateway.StartAsync(
            Hook.Routes(), secrets: Hook.Secrets, time: new TestClock(),
            arguments: ["--urls", "http://127.0.0.1:0", .. TestCertificate.Default(_folder, Now.AddDays(-1), Now.AddDays(90))]);
        Assert.DoesNotContain(gateway.Logs.Entries, static line => line.Text.Contains("Kestrel:Certificates:Default", StringComparison.Ordinal));
        Assert.Equal(Now.AddDays(90).ToUnixTimeSeconds(), Ends());

        // The new certificate is there and its key is not yet: what the server goes on with is what the metric says.
        var key = await File.ReadAllTextAsync(Path.Combine(_folder.Path, "tls.key"));
        TestCertificate.Default(_folder, Now.AddDays(-1), Now.AddDays(180));
        var next = await File.ReadAllTextAsync(Path.Combine(_folder.Path, "tls.key"));
        _folder.Write("tls.key", key);
        Assert.Equal(Now.AddDays(90).ToUnixTimeSeconds(), Ends());
        _folder.Write("tls.key", next);
        Assert.Equal(Now.AddDays(180).ToUnixTimeSeconds(), Ends());

        double? Ends() => gateway.Metrics.Observe("webhookedge.certificate.expires_timestamp", ("certificate", "Kestrel:Certificates:Default"));
    }

    [Fact]
    public async Task A_certificate_exchanged_by_turning_a_link_is_the_one_measured_and_served()
    {
        // As Kubernetes mounts a secret: names that never change, behind a link that is turned.
        Versions("one", 90);
        Versions("two", 180);
        _folder.Link("..data", "one");
        string[] arguments = ["--urls", "https://127.0.0.1:0", "--Kestrel:Certificates:Default:Path", Link("tls.pem"),
            "--Kestrel:Certificates:Default:KeyPath", Link("tls.key")];
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets, time: new TestClock(), arguments: arguments);
        Assert.Equal(Now.AddDays(90).ToUnixTimeSeconds(), Ends());

        _folder.Link("..data", "two");
        Assert.Equal(Now.AddDays(180).ToUnixTimeSeconds(), Ends());
        await ServesAsync(180);
        _folder.Link("..data", "one");
        Assert.Equal(Now.AddDays(90).ToUnixTimeSeconds(), Ends());

        void Versions(string version, int days)
        {
            using var made = new TempDirectory();
            TestCertificate.Default(made, Now.AddDays(-1), Now.AddDays(days));
            Directory.CreateDirectory(Path.Combine(_folder.Path, version));
            foreach (var name in (string[])["tls.pem", "tls.key"])
            {
                File.Copy(Path.Combine(made.Path, name), Path.Combine(_folder.Path, version, name));
                File.SetLastWriteTimeUtc(Path.Combine(_folder.Path, version, name), Now.UtcDateTime.AddDays(-days));
            }
        }

        string Link(string name) => _folder.Link(name, "..data/" + name);

        double? Ends() => gateway.Metrics.Observe("webhookedge.certificate.expires_timestamp", ("certificate", "Kestrel:Certificates:Default"));

        async Task ServesAsync(int days)
        {
            // The server looks at its files now and then.
            var served = DateTime.MinValue;
            for (var started = TimeProvider.System.GetTimestamp(); ; await Hook.PassAsync(TimeSpan.FromMilliseconds(100)))
            {
                Assert.True(TimeProvider.System.GetElapsedTime(started) < Deadline.Default,
                    $"the certificate of {days} days is not served, but one that ends on {served:u}");
                using var socket = new TcpClient();
                try
                {
                    await socket.ConnectAsync(gateway.EndPoint);
                }
                catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.ConnectionRefused)
                {
                    // To take over a certificate the server closes its port and opens it again: a known limit, told in the README.
                    continue;
                }

                await using var tls = new SslStream(socket.GetStream(), false, (_, certificate, _, _) =>
                {
                    served = ((X509Certificate2)certificate!).NotAfter.ToUniversalTime();
                    return served > Now.UtcDateTime;
                });
                await tls.AuthenticateAsClientAsync("localhost");
                if (served == Now.AddDays(days).UtcDateTime)
                {
                    return;
                }
            }
        }
    }

    [Fact]
    public async Task A_dry_run_finds_an_expired_certificate_a_wrong_key_a_missing_one_and_a_state_directory_that_cannot_be()
    {
        WriteHook(""" "edge": { "stateDirectory": "/proc/nowhere/state" } """);
        var now = TimeProvider.System.GetUtcNow();
        var good = TestCertificate.Default(_folder, now.AddDays(-10), now.AddDays(90));
        var (wrongPem, lonelyPem) = (_folder.Write("wrong.pem", await File.ReadAllTextAsync(good[1])),
            _folder.Write("lonely.pem", await File.ReadAllTextAsync(good[1])));
        var expired = TestCertificate.Default(_folder, now.AddDays(-10), now.AddDays(-1));

        var (code, output) = await CliProcess.RunAsync(
            _folder.Path, null,
            [
                "serve", "--dry-run", "--config", "routes.json", .. Anywhere, .. expired,
                "--Kestrel:Endpoints:Wrong:Url=https://127.0.0.1:0", $"--Kestrel:Endpoints:Wrong:Certificate:Path={wrongPem}",
                $"--Kestrel:Endpoints:Wrong:Certificate:KeyPath={expired[3]}",
                "--Kestrel:Endpoints:Sni:Url=https://127.0.0.1:0", $"--Kestrel:Endpoints:Sni:Sni:a.example:Certificate:Path={lonelyPem}",
            ]);

        Assert.Equal(1, code);
        Assert.Contains($"error: Kestrel:Certificates:Default: the certificate in {_folder.Path}/tls.pem expired on "
            + $"{now.AddDays(-1).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}", output, StringComparison.Ordinal);
        Assert.Contains($"error: Kestrel:Endpoints:Wrong:Certificate: the private key in {_folder.Path}/tls.key does not belong to the certificate in "
            + $"{_folder.Path}/wrong.pem; name the pair that belongs together", output, StringComparison.Ordinal);
        Assert.Contains($"error: Kestrel:Endpoints:Sni:Sni:a.example:Certificate: {_folder.Path}/lonely.pem is a certificate without its private key; name "
            + "the key with", output, StringComparison.Ordinal);
        Assert.Contains("error: edge.stateDirectory: nothing can be kept in /proc/nowhere/state: ", output, StringComparison.Ordinal);
        Assert.Contains("routes.json: 4 errors", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("wrong")]
    [InlineData("none")]
    [InlineData("garbage")]
    [InlineData("without")]
    public async Task A_certificate_that_cannot_be_used_is_one_line_and_no_stack_trace(string how)
    {
        WriteHook();
        var settings = TestCertificate.Default(_folder);
        switch (how)
        {
            case "wrong":
                var pem = _folder.Write("other.pem", await File.ReadAllTextAsync(settings[1]));
                settings = [.. TestCertificate.Default(_folder, Now, Now.AddYears(20)), "--Kestrel:Certificates:Default:Path", pem];
                break;
            case "none":
                settings = settings[..2];
                break;
            case "garbage":
                _folder.Write("tls.pem", "no certificate");
                break;
            default:
                settings = [];
                break;
        }

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, ["serve", "--config", "routes.json", .. Anywhere, .. settings]);

        Assert.Equal(1, code);
        var line = Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries), static line => !line.Contains("warning:", StringComparison.Ordinal));
        Assert.StartsWith("webhookedge: ", line, StringComparison.Ordinal);
        Assert.Contains("Kestrel__Certificates__Default__", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_state_directory_that_cannot_be_is_told_at_start_and_served_with()
    {
        await using var gateway = await TestGateway.StartAsync(Hook.Routes(file: """ "edge": { "stateDirectory": "/proc/nowhere/state" } """),
            secrets: Hook.Secrets);

        Assert.Contains(gateway.Logs.WithEvent(5103),
            static line => line.Text.Contains("edge.stateDirectory: nothing can be kept in /proc/nowhere/state: ", StringComparison.Ordinal)
            && line.Text.Contains("name a directory", StringComparison.Ordinal));
        var folder = Path.Combine(_folder.Path, "to", "be", "made");
        await using var good = await TestGateway.StartAsync(Hook.Routes(file: $$""" "edge": { "stateDirectory": "{{folder}}" } """), secrets: Hook.Secrets);
        Assert.DoesNotContain(good.Logs.WithEvent(5103), static line => line.Text.Contains("stateDirectory", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public async Task A_mistyped_option_does_not_serve_another_file()
    {
        _folder.Write("config/routes.json", "{}");

        var (code, output) = await CliProcess.RunAsync(_folder.Path, null, "serve", "--confg", "x.json");

        Assert.Equal((1,
            "webhookedge: unknown option \"--confg\"; did you mean \"--config\"? Settings of ASP.NET Core are written --Section:Key=value (Admin, Kestrel, "
            + "Logging, Metrics), or go after \"--\"\n"), (code, output));
    }

    /// <summary>
    /// Registered by YARP for the session affinity that is not offered: it would warn three times and write keys to the home directory. The empty folder that
    /// registering makes stays.
    /// </summary>
    [Fact]
    public async Task Nothing_protects_data_that_nobody_has()
    {
        WriteHook();
        var home = Path.Combine(_folder.Path, "home");
        Directory.CreateDirectory(home);
        await using var gateway = CliProcess.Start(
            _folder.Path, new Dictionary<string, string> { ["DOTNET_RUNNING_IN_CONTAINER"] = "true", ["HOME"] = home },
            ["serve", "--config", "routes.json", "--urls", "http://127.0.0.1:0", "--Admin:Url", "http://127.0.0.1:0"]);
        await Deadline.UntilAsync(() => gateway.Output.Contains("\"EventId\":5106", StringComparison.Ordinal), "the summary is printed",
            TimeSpan.FromSeconds(30));

        Assert.DoesNotContain("DataProtection", gateway.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\"LogLevel\":\"Warning\"", gateway.Output, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(home, "*", SearchOption.AllDirectories));
        await using var site = await TestGateway.StartAsync(Hook.Routes(), secrets: Hook.Secrets);
        Assert.Null(site.Host.Services.GetService<IDataProtectionProvider>());
    }

    public void Dispose() => _folder.Dispose();

    private void WriteHook(string file = "")
    {
        _folder.Write("secret", Hook.Secret);
        _folder.Write("routes.json",
            Hook.Routes(""" "replay": { "key": ["body"] } """, file).Replace("{dir}", _folder.Path, StringComparison.Ordinal)
            .Replace("{upstream}", "http://127.0.0.1:9", StringComparison.Ordinal));
    }
}
