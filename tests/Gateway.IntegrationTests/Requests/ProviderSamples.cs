using System.Globalization;
using System.Text;

namespace WebhookEdge.IntegrationTests.Requests;

/// <summary>Bodies of the shapes that the providers document, compact as <c>JSON.stringify</c> writes them. All data is invented.</summary>
internal static class ProviderSamples
{
    public static byte[] RealIdCheck { get; } = Utf8("""{"event":"check.created","created_at":"2022-12-09T15:20:35.136Z","check":{"id":"abcdef","step":"delivered","testing":true}}""");

    public static byte[] RealIdPrivacy { get; } = Utf8("""{"event":"customer.data_request","created_at":"2022-12-09T15:20:35.136Z","check":{"id":"abcdef","testing":true}}""");

    public static byte[] Cr3dentials { get; } = Utf8(
        """{"type":"verification.completed","status":"success","data":{"verificationId":"ver_abc123","sessionId":123,"stepId":456,"status":"VERIFIED","proofData":{"income":{"monthlyAmount":5000,"verified":true,"source":"a-bank"}},"formattedData":{"incomeVerified":true,"verificationScore":95},"metadata":{"dataSource":"a-bank","processingTimeMs":15000,"verifiedAt":"2024-01-15T14:30:00Z"}}}""");

    /// <summary>The sample of the provider's curl example, as it is printed there: with line breaks.</summary>
    public static byte[] Cr3dentialsTest { get; } = Utf8(
        "{\n\"type\": \"verification.completed\",\n\"status\": \"success\",\n\"data\": {\n\"verificationId\": \"test_123\",\n\"sessionId\": "
        + "123,\n\"status\": \"VERIFIED\"\n}\n}");

    public static byte[] IdWise { get; } = Utf8("""{"eventType":"Finished Journey","journeyId":"65a1f0c2e4b0","referenceNo":"ref-17","eventId":"evt-000017"}""");

    /// <summary>About 15 KB: a synchronisation with a watch list search of two dozen entries, names with letters beyond ASCII.</summary>
    public static byte[] Verisync { get; } = Utf8(VerisyncText());

    private static string VerisyncText()
    {
        var searches = Enumerable.Range(0, 26).Select(i => string.Create(CultureInfo.InvariantCulture,
            $$$"""{"country":"XX","watchlist":{"id":{{{400 + i}}},"name":"Invented list № {{{i}}} of somewhere","watchlistType":"basic"},"dataSource":"document-data","searchedAt":"2024-01-28T16:35:08.{{{800 + i}}}Z","documentType":"passport","searchParams":{"fullName":"ZOË ÅNGSTRÖM 架空","dateOfBirth":"01-02-1990","documentNumber":"X000{{{i:00}}}"},"searchResult":null}"""));
        var verifications = Enumerable.Range(0, 4).Select(i =>
            $$$"""{"id":"00000000-0000-4000-8000-00000000000{{{i}}}","reference":"vrf_invented{{{i}}}","idNumber":"X0000000{{{i}}}","firstName":"ZOË","lastName":"ÅNGSTRÖM","middleName":null,"phone":null,"email":null,"dateOfBirth":"1990-02-01","age":null,"sex":"X","country":"XX","nationality":"XXX","issuedDate":null,"expiryDate":"2032-11-28","aml":null,"amlRisk":"","address":null,"assets":[{"iso":"XX","url":"https://files.example/{{{i}}}-passport.jpg","type":"passport","filename":"passport.jpg","stateCode":""}],"channel":"web","active":true,"message":null,"reverifyReason":null,"reverifiedAt":null,"verifiedAt":"2024-01-29T09:42:21.099Z","deviceFingerprint":{"ip":"192.0.2.82","ua":"client/1.4.0","origin":"","vpnDetectionEnabled":false},"status":"approved","createdAt":"2024-01-28T16:32:39.760Z","updatedAt":"2024-01-29T09:42:19.845Z","identity":{"id":"10000000-0000-4000-8000-00000000000{{{i}}}","reference":"id_invented{{{i}}}","name":"International Passport","slug":"passport","description":"Verify your \"international\" passport\\","recomended":true,"type":"foundational","category":"document-verification","active":true,"status":"approved","createdAt":"2024-01-27T18:04:54.184Z","updatedAt":"2024-01-27T18:04:54.184Z"}}""");
        return $$$"""{"event":"sync.success","data":{"reason":null,"deviceFingerprint":{"device":{"os":{"name":"Some OS","version":"10.15.7"},"ua":"Mozilla/5.0 (invented)","cpu":{}},"location":{"eu":"0","ip":"192.0.2.12","ll":[10,8],"area":500,"city":"","range":[699924480,699932671],"country":"XX","timezone":"Etc/UTC"}},"flow":{"id":"0fa34faf-0000-4000-8000-1bdd1db32721","reference":"flw_invented","name":"Biometric and Document verification"},"metadata":null,"aml":{"step":{"id":"watchlists","data":[{{{string.Join(',', searches)}}}],"error":null,"status":200}},"verifications":[{{{string.Join(',', verifications)}}}]}}""";
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);
}
