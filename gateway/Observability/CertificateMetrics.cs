using System.Diagnostics.Metrics;

namespace WebhookEdge.Observability;

/// <summary>One certificate as the gauge shows it: the section of the configuration that names it, and when it ends.</summary>
internal readonly record struct CertificateReading(string Certificate, DateTimeOffset NotAfter);

/// <summary>When the certificates of the listeners end. The tag <c>certificate</c> is bounded by the configuration.</summary>
internal sealed class CertificateMetrics
{
    private Func<IReadOnlyList<CertificateReading>> _readings = static () => [];

    public CertificateMetrics(Meter meter) =>
        meter.CreateLiveGauge("webhookedge.certificate.expires_timestamp", "s", "When a TLS certificate of the listeners ends, as Unix time.", () =>
            Volatile.Read(ref _readings)().Select(static one =>
                new Measurement<double>(one.NotAfter.ToUnixTimeSeconds(), new KeyValuePair<string, object?>("certificate", one.Certificate))));

    /// <summary>Tells the gauge where to look; the last caller wins.</summary>
    public void Watch(Func<IReadOnlyList<CertificateReading>> readings) => Volatile.Write(ref _readings, readings);
}
