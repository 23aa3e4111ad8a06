using System.Text;

namespace WebhookEdge.Cli;

/// <summary>Events as the founding providers document them, made unique so that the second one sent is not a duplicate of the first.</summary>
internal static class SampleEvents
{
    /// <summary>An event of <paramref name="provider"/> (a preset's name or null), compact as the providers' <c>JSON.stringify</c> writes it.</summary>
    public static byte[] Create(string? provider, DateTimeOffset now, string id) => Encoding.UTF8.GetBytes(provider switch
    {
        // Shape: Real ID, "Check Event Data".
        "real-id" => $$$"""{"event":"check.completed","created_at":"{{{now.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}}}","check":{"id":"{{{id}}}","step":"completed","testing":true}}""",

        // Shape: Verisync, "Supported events", shortened.
        "verisync" => $$$"""{"event":"sync.success","data":{"reason":null,"flow":{"id":"{{{id}}}","reference":"flw_test","name":"Biometric and Document verification"},"metadata":null,"verifications":[{"reference":"vrf_test","idNumber":"X0000000","country":"NG","status":"approved"}]}}""",

        // Shape: Cr3dentials, "Default Webhook Payload".
        "cr3dentials" => $$$$"""{"type":"verification.completed","status":"success","data":{"verificationId":"{{{{id}}}}","sessionId":123,"stepId":456,"status":"VERIFIED","metadata":{"dataSource":"test","processingTimeMs":15000,"verifiedAt":"{{{{now.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}}}}"}}}""",

        // IDWise documents no payload; only that it holds no personal data and names the event.
        "idwise" => $$$"""{"eventId":"{{{id}}}","event":"Finished Journey","journeyId":"{{{id}}}"}""",
        _ => $$$"""{"id":"{{{id}}}","type":"test","created":{{{now.ToUnixTimeSeconds()}}}}""",
    });
}
