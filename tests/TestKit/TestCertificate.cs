using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace WebhookEdge.TestKit;

/// <summary>A certificate for localhost and 127.0.0.1 that exists in memory only, for TLS and HTTP/2 tests.</summary>
internal static class TestCertificate
{
    private static readonly Lazy<X509Certificate2> Made = new(Make);

    /// <summary>One for the whole test run. Do not dispose it.</summary>
    public static X509Certificate2 Instance => Made.Value;

    /// <summary>Options of a client that trusts <see cref="Instance"/> and nothing else.</summary>
    public static SslClientAuthenticationOptions ClientOptions(params ReadOnlySpan<SslApplicationProtocol> protocols) => new()
    {
        TargetHost = "localhost",
        ApplicationProtocols = [.. protocols],
        RemoteCertificateValidationCallback = static (_, certificate, _, _) =>
            certificate is not null && certificate.GetRawCertData().AsSpan().SequenceEqual(Instance.RawData),
    };

    /// <summary>Arguments for a gateway that listens with <see cref="Instance"/> on port 0, its PEM files in <paramref name="files"/>.</summary>
    public static IReadOnlyList<string> Endpoint(TempDirectory files) =>
    [
        "--Kestrel:Endpoints:Https:Url", "https://127.0.0.1:0",
        "--Kestrel:Endpoints:Https:Certificate:Path", files.Write("tls.pem", Instance.ExportCertificatePem()),
        "--Kestrel:Endpoints:Https:Certificate:KeyPath", files.Write("tls.key", Instance.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem()),
    ];

    /// <summary>
    /// Settings of a gateway whose default certificate is one that is valid from <paramref name="from"/> to <paramref name="to"/>; without times
    /// <see cref="Instance"/>.
    /// </summary>
    /// <param name="folder">Where <c>tls.pem</c> and <c>tls.key</c> are written.</param>
    public static string[] Default(TempDirectory folder, DateTimeOffset? from = null, DateTimeOffset? to = null)
    {
        using var made = from is { } begin && to is { } end ? Make(begin, end) : null;
        var certificate = made ?? Instance;
        using var key = certificate.GetECDsaPrivateKey()!;
        return
        [
            "--Kestrel:Certificates:Default:Path", folder.Write("tls.pem", certificate.ExportCertificatePem()),
            "--Kestrel:Certificates:Default:KeyPath", folder.Write("tls.key", key.ExportPkcs8PrivateKeyPem()),
        ];
    }

    private static X509Certificate2 Make()
    {
        var now = TimeProvider.System.GetUtcNow();
        return Make(now.AddHours(-1), now.AddDays(1));
    }

    private static X509Certificate2 Make(DateTimeOffset from, DateTimeOffset to)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        return request.CreateSelfSigned(from, to);
    }
}
