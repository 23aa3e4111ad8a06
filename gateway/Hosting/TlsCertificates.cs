using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Hosting;

/// <summary>
/// The certificates that the configuration names as files for Kestrel: whether each can be used, and when it ends. The server takes an expired one without a
/// word, and of a wrong key it says what its author's library says. Files are read again when they change, as the server does. Certificates of a certificate
/// store are the server's to choose, and it takes valid ones only.
/// </summary>
internal sealed class TlsCertificates(IConfiguration configuration, IHostEnvironment environment, TimeProvider time)
{
    /// <summary>How long before its end a certificate is a warning. Automatic renewal comes 30 days before, so that this says it did not.</summary>
    private static readonly TimeSpan EndsSoon = TimeSpan.FromDays(14);

    /// <summary>Of a file: a chain of certificates is a few KiB.</summary>
    private const int MostBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (byte[] Content, CertificateReading Reading)> _read = new(StringComparer.Ordinal);

    /// <summary>What is wrong with each. Those the server would not start with come apart from those it would serve.</summary>
    public (IReadOnlyList<ConfigProblem> Unusable, IReadOnlyList<ConfigProblem> Untimely) Check()
    {
        var unusable = new List<ConfigProblem>();
        var untimely = new List<ConfigProblem>();
        foreach (var named in Named())
        {
            try
            {
                using var certificate = Load(named, Bytes(named.Path));
                if (TimeFault(named, certificate) is { } fault)
                {
                    untimely.Add(fault);
                }
            }
            catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException or StartupException)
            {
                unusable.Add(Explain(named, e));
            }
        }

        return (unusable, untimely);
    }

    /// <summary>When each ends, for the metric; one that cannot be read keeps its last reading, since the server keeps it too.</summary>
    public IReadOnlyList<CertificateReading> Read()
    {
        lock (_lock)
        {
            var readings = new List<CertificateReading>();
            foreach (var named in Named())
            {
                try
                {
                    // By content: a file that is exchanged by turning a link (as Kubernetes does with secrets) keeps its own time, and an older one may come
                    // back.
                    var content = Bytes(named.Path);
                    if (!_read.TryGetValue(named.Place, out var known) || !known.Content.AsSpan().SequenceEqual(content))
                    {
                        using var certificate = Load(named, content);
                        _read[named.Place] = (content, new(named.Place, new(certificate.NotAfter.ToUniversalTime())));
                    }
                }
                catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException or StartupException)
                {
                    // Half of a pair is exchanged, or the new one is no good: looked at again at the next scrape.
                }

                if (_read.TryGetValue(named.Place, out var last))
                {
                    readings.Add(last.Reading);
                }
            }

            return readings;
        }
    }

    private IEnumerable<CertificateFiles> Named() =>
        configuration.GetSection("Kestrel:Certificates").GetChildren()
            .Concat(configuration.GetSection("Kestrel:Endpoints").GetChildren().SelectMany(static endpoint =>
                endpoint.GetSection("Sni").GetChildren().Select(static name => name.GetSection("Certificate")).Prepend(endpoint.GetSection("Certificate"))))
            .Where(static section => !string.IsNullOrEmpty(section["Path"]))
            .Select(section =>
                new CertificateFiles(section.Path, InContent(section["Path"]!), section["KeyPath"] is { Length: > 0 } key ? InContent(key) : null,
                section["Password"]));

    private string InContent(string path) => Path.Combine(environment.ContentRootPath, path);

    private static byte[] Bytes(string path) =>
        RegularFile.Read(path, MostBytes) ?? throw new StartupException($"{path} is no regular file of at most {MostBytes / 1024} KiB");

    private static X509Certificate2 Load(CertificateFiles named, byte[] bytes)
    {
        if (X509Certificate2.GetCertContentType(bytes) == X509ContentType.Pkcs12)
        {
            var bundle = X509CertificateLoader.LoadPkcs12(bytes, named.Password);
            return bundle.HasPrivateKey ? bundle : throw new StartupException($"{named.Path} holds no private key");
        }

        var certificate = X509CertificateLoader.LoadCertificate(bytes);
        if (named.KeyPath is null)
        {
            throw new StartupException($"{named.Path} is a certificate without its private key");
        }

        var text = Encoding.UTF8.GetString(Bytes(named.KeyPath));
        using AsymmetricAlgorithm? key = certificate.GetKeyAlgorithm() switch { "1.2.840.113549.1.1.1" => RSA.Create(), "1.2.840.10045.2.1" => ECDsa.Create(),
            _ => null };
        try
        {
            if (named.Password is null)
            {
                key?.ImportFromPem(text);
            }
            else
            {
                key?.ImportFromEncryptedPem(text, named.Password);
            }
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            throw new StartupException($"{named.KeyPath} holds no private key of the certificate's kind that can be "
                + $"read{(named.Password is null ? "" : " with that password")}");
        }

        // Other kinds are left to the server, which knows more of them.
        return key is null || key.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(certificate.PublicKey.ExportSubjectPublicKeyInfo())
            ? certificate
            : throw new StartupException($"the private key in {named.KeyPath} does not belong to the certificate in {named.Path}");
    }

    private static ConfigProblem Explain(CertificateFiles named, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException =>
            new(named.Place, e.Message.TrimEnd('.'), $"name the files with {named.Variable}__Path and {named.Variable}__KeyPath"),
        UnauthorizedAccessException => new(named.Place, e.Message.TrimEnd('.'), "let the user that the gateway runs as read it"),
        StartupException when named.KeyPath is null => new(named.Place, e.Message, $"name the key with {named.Variable}__KeyPath"),
        StartupException => new(named.Place, e.Message, $"name the pair that belongs together with {named.Variable}__Path and {named.Variable}__KeyPath"),
        _ => new(named.Place, $"{named.Path} cannot be used as a certificate: {e.Message.TrimEnd('.')}",
            $"name a PEM file and its key, or a PKCS #12 file with {named.Variable}__Password"),
    };

    private ConfigProblem? TimeFault(CertificateFiles named, X509Certificate2 certificate)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var (from, to) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime());
        if (now >= to)
        {
            return new(named.Place, $"the certificate in {named.Path} expired on {to:yyyy-MM-dd HH:mm} UTC, and senders refuse it",
                "renew it; a changed file is taken over while running");
        }

        if (now < from)
        {
            return new(named.Place, $"the certificate in {named.Path} is not valid before {from:yyyy-MM-dd HH:mm} UTC, and senders refuse it",
                "look at this machine's clock, or use the certificate before it until then");
        }

        return to - now < EndsSoon
            ? new(named.Place, $"the certificate in {named.Path} expires on {to:yyyy-MM-dd HH:mm} UTC", "renew it; a changed file is taken over while running",
                IsWarning: true)
            : null;
    }
}

/// <param name="Place">The section of the configuration, e.g. <c>Kestrel:Endpoints:Https:Certificate</c>.</param>
/// <param name="Path">Of the certificate, absolute.</param>
/// <param name="KeyPath">Of its key, absolute; null for PKCS #12.</param>
/// <param name="Password">Of the key or the bundle.</param>
internal sealed record CertificateFiles(string Place, string Path, string? KeyPath, string? Password)
{
    /// <summary>The section as environment variables begin.</summary>
    public string Variable => Place.Replace(":", "__", StringComparison.Ordinal);
}
