using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// AWS SNS: RSA over the message's fields, a name and a value a line, under a certificate whose URL stands in the body.
/// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
/// </summary>
/// <remarks>
/// Anyone with an AWS account has SNS sign messages, so the route's "secrets" are the ARNs of the topics it takes: without them a signature would prove
/// nothing. The certificate's region is the topic's. <c>SubscribeURL</c> is never followed; the confirmation goes to the app like any message.
/// Attributes (<c>MessageAttributes</c>) are not signed, so the trust is "authenticated". The signed id is MessageId.
/// </remarks>
internal sealed class SnsVerifier(ImmutableArray<SnsVerifier.Topic> topics, long tolerance, RemoteKeys keys) : ICodeVerifier
{
    private const string TypeHeader = "x-amz-sns-message-type";

    /// <summary>SNS gives up on an HTTPS endpoint after an hour at most; the message keeps its time all the while.</summary>
    private const int DefaultTolerance = 3900;

    private static readonly KeySource Certificates = new(
        "", static url => new(HttpMethod.Get, url), static (pem, at) => CertificateKeys.Read(pem, "amazonaws.com", HashAlgorithmName.SHA256, at));

    private static readonly SearchValues<char> RegionCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");
    private static readonly SearchValues<char> HexCharacters = SearchValues.Create("0123456789abcdef");
    private static readonly string[] Notification = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
    private static readonly string[] Confirmation = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

    public static CodeVerifierKind Kind { get; } = new()
    {
        Name = "aws-sns",
        Facts = new(SignsBody: false, SignsId: true, SignsTime: true),
        Fields = ["timestamp.toleranceSeconds"],
        Create = Create,
    };

    public Verdict CheckHead(Delivery delivery, DateTimeOffset now) => HeaderLine.Read(delivery, TypeHeader, out _);

    public ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var verdict = CheckHead(delivery, now);
        if (!verdict.Passed)
        {
            return new(Verification.Refuse(verdict));
        }

        var verification = Read(delivery, now, out var message);
        return message is null ? new(verification) : VerifyAsync(message, Certificates.Ask(message.CertificateUrl, delivery), cancellationToken);
    }

    private static SnsVerifier? Create(CodeSetup setup)
    {
        var topics = ImmutableArray.CreateBuilder<Topic>();
        for (var i = 0; i < setup.Secrets.Count; i++)
        {
            var arn = Encoding.UTF8.GetString(setup.Secrets[i].Value).Trim();
            if (arn.Split(':') is ["arn", "aws" or "aws-cn" or "aws-us-gov", "sns", { Length: > 2 } region, { Length: 12 }, { Length: > 0 }]
                && !region.AsSpan().ContainsAnyExcept(RegionCharacters))
            {
                topics.Add(new(setup.Secrets[i].Id, arn,
                    $"https://sns.{region}.amazonaws.com{(arn.StartsWith("arn:aws-cn:", StringComparison.Ordinal) ? ".cn" : "")}/SimpleNotificationService-"));
            }
            else
            {
                setup.SecretFault(i, $"{setup.Secrets[i].Id} is not the ARN of an SNS topic",
                    "write the topic's ARN there, arn:aws:sns:REGION:ACCOUNT:NAME; a message of any other topic is refused");
            }
        }

        if (setup.Context.Keys is not { } keys)
        {
            setup.Fault("kind", "certificates cannot be fetched here", "aws-sns works in the gateway and in explain");
            return null;
        }

        return new(topics.ToImmutable(), setup.Tolerance(DefaultTolerance), keys);
    }

    private async ValueTask<Verification> VerifyAsync(SnsMessage message, KeyQuestion question, CancellationToken cancellationToken)
    {
        var (result, remote) = await keys.GetAsync(question, cancellationToken);
        if (remote?.Key is not RsaKey key)
        {
            return CertificateKeys.Refuse(result);
        }

#pragma warning disable CA5350 // SignatureVersion 1 is SHA-1; the topic's owner chooses.
        var digest = message.IsSha1 ? SHA1.HashData(message.SignedText) : SHA256.HashData(message.SignedText);
#pragma warning restore CA5350
        if (!key.Verifies(digest, message.Signature, message.IsSha1 ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256))
        {
            return Verification.Mismatch("the certificate's key does not make this signature");
        }

        keys.Proved(question);
        return Verification.Accept(message.TopicId, message.MessageId, message.Time);
    }

    private Verification Read(Delivery delivery, DateTimeOffset now, out SnsMessage? message)
    {
        message = null;
        using var document = StrictDocument.Parse(delivery.Body);
        if (document is null || document.RootElement.ValueKind != JsonValueKind.Object)
        {
            return Verification.Missing("the body is no SNS message; raw message delivery, which signs nothing, must be off");
        }

        var root = document.RootElement;
        if (root.Text("Signature") is not { Length: > 0 and <= 1024 } signature || root.Text("SigningCertURL") is not { } url
            || root.Text("TopicArn") is not { } arn
            || root.Text("Timestamp") is not { } timestamp || root.Text("MessageId") is not { Length: > 0 and <= 256 } id || root.Text("Message") is null)
        {
            return Verification.Missing("the body lacks a field of an SNS message");
        }

        var names = root.Text("Type") switch { "Notification" => Notification, "SubscriptionConfirmation" or "UnsubscribeConfirmation" => Confirmation,
            _ => null };
        var version = root.Text("SignatureVersion");
        var bytes = new byte[768];
        if (names is null || version is not ("1" or "2") || !SignedTime.TryParseIso(timestamp, out var milliseconds)
            || !StrictText.TryDecodeBase64(signature, bytes, urlAlphabet: false, Padding.Required, out var length))
        {
            return Verification.Malformed("Type, SignatureVersion, Timestamp or Signature is not written as SNS writes it");
        }

        if (topics.FirstOrDefault(topic => topic.Arn == arn) is not { Arn: not null } topic)
        {
            return Verification.Mismatch("the message is of a topic this route does not take");
        }

        if (!IsCertificateOf(topic, url))
        {
            return Verification.Malformed("SigningCertURL is not one of SNS in the topic's region");
        }

        if (!SignedTime.IsWithin(milliseconds, now, tolerance))
        {
            return Verification.Stale();
        }

        if (SignedText(root, names) is not { } signed)
        {
            return Verification.Malformed("a field of the message is absent, no string, or holds a line break");
        }

        message = new(topic.Id, url, id, milliseconds, version == "1", signed, bytes[..length]);
        return default;
    }

    private static bool IsCertificateOf(in Topic topic, string url) =>
        url.StartsWith(topic.CertificatePrefix, StringComparison.Ordinal) && url.EndsWith(".pem", StringComparison.Ordinal)
        && url.Length - topic.CertificatePrefix.Length - 4 is > 0 and <= 64
        && !url.AsSpan()[topic.CertificatePrefix.Length..^4].ContainsAnyExcept(HexCharacters);

    /// <summary>Only Message may hold line breaks, so there is one way to cut the signed text into fields.</summary>
    private static byte[]? SignedText(JsonElement root, string[] names)
    {
        var text = new StringBuilder();
        foreach (var name in names)
        {
            if (name == "Subject" && !root.Has(name))
            {
                continue;
            }

            if (root.Text(name) is not { } value || (name != "Message" && value.AsSpan().ContainsAnyInRange('\0', '\x1f')))
            {
                return null;
            }

            text.Append(name).Append('\n').Append(value).Append('\n');
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>A topic the route takes, and how the URL of a certificate for it begins.</summary>
    internal readonly record struct Topic(string Id, string Arn, string CertificatePrefix);

    private sealed record SnsMessage(string TopicId, string CertificateUrl, string MessageId, long Time, bool IsSha1, byte[] SignedText, byte[] Signature);
}
