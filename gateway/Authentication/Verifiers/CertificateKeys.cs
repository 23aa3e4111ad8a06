using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// The RSA key of a certificate that a sender publishes. Where it comes from (TLS to a fixed host) is what makes it the sender's; beside that it must be
/// valid now and made out to the sender's domain.
/// </summary>
internal static class CertificateKeys
{
    /// <summary>Kept no longer than this, so that a certificate withdrawn by its publisher goes out of use.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromHours(24);

    /// <summary>The first certificate of <paramref name="pem"/>; null when it cannot be used.</summary>
    public static RemoteKey? Read(byte[] pem, string domain, HashAlgorithmName algorithm, DateTimeOffset now)
    {
        try
        {
            using var certificate = X509Certificate2.CreateFromPem(Encoding.Latin1.GetString(pem));
            var name = certificate.GetNameInfo(X509NameType.DnsName, forIssuer: false);
            var (from, until) = (new DateTimeOffset(certificate.NotBefore), new DateTimeOffset(certificate.NotAfter));
            if (now < from || now > until || (name != domain && !name.EndsWith("." + domain, StringComparison.OrdinalIgnoreCase)))
            {
                return null;
            }

            using var rsa = certificate.GetRSAPublicKey();
            var latest = now + Longest;
            return rsa is not null && RsaKey.Create("", rsa, algorithm, out _) is { } key ? new(key, until < latest ? until : latest) : null;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            return null;
        }
    }

    public static Verification Refuse(KeyFetch result) => result == KeyFetch.NoSuchKey
        ? Verification.Mismatch("the sender publishes no such signing key")
        : Verification.Refuse(Verdict.Reject(RejectReason.SigningKeyUnavailable, "the signing key could not be fetched just now", TimeSpan.FromSeconds(5)));
}
