using System.Buffers;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Unicode;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication;

internal enum CredentialKind
{
    Token,
    Basic,
    Bearer,
}

/// <summary>An expected credential as SHA-256, so that comparing takes the same time whatever the lengths.</summary>
internal readonly record struct CredentialDigest(string Id, byte[] Sha256);

/// <summary>
/// A static credential: a token header, Basic (RFC 7617) or Bearer (RFC 6750). Needs no body, so it is asked before the body is read.
/// Whatever is wrong has the same reason, so that nothing can be told from the outside.
/// </summary>
internal sealed class CredentialCheck(
    CredentialKind kind,
    ImmutableArray<string> headers,
    string prefix,
    ImmutableArray<RequiredHeader> required,
    ImmutableArray<CredentialDigest> expected) : IGateCheck
{
    /// <summary>Longest credential that is looked at, in characters.</summary>
    public const int MaxLength = 4096;

    public Stage Stage => Stage.Credential;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        if (RequiredHeader.FirstFault(required, delivery) is { } fault)
        {
            return new(Refuse(fault));
        }

        string? line = null;
        foreach (var header in headers)
        {
            var lines = delivery.Headers[header];
            if (lines.Count > 1 || (lines.Count == 1 && line is not null))
            {
                return new(Refuse("the credential came more than once"));
            }

            line = lines.Count == 1 ? lines[0] : line;
        }

        if (string.IsNullOrEmpty(line))
        {
            return new(Refuse("the credential is absent"));
        }

        if (line.Length > MaxLength)
        {
            return new(Refuse("the credential is longer than 4096 characters"));
        }

        return new(kind switch
        {
            CredentialKind.Basic => CheckBasic(delivery, line),
            CredentialKind.Bearer => CheckBearer(delivery, line),
            _ => line.StartsWith(prefix, StringComparison.Ordinal) ? Compare(delivery, line.AsSpan(prefix.Length))
            : Refuse("the credential does not begin with the scheme's prefix"),
        });
    }

    private Verdict CheckBasic(Delivery delivery, string line)
    {
        if (!TryTakeScheme(line, "Basic", out var text))
        {
            return Refuse("the Authorization header is not Basic");
        }

        Span<byte> credentials = stackalloc byte[text.Length <= 256 ? 256 : MaxLength];
        if (!StrictText.TryDecodeBase64(text, credentials, urlAlphabet: false, Padding.Required, out var length))
        {
            return Refuse("the Basic credentials are not canonical base64");
        }

        // Equal bytes are equal users and passwords: the split is at the first colon on both sides (RFC 7617 §2).
        return credentials[..length].Contains((byte)':')
            ? Compare(delivery, credentials[..length])
            : Refuse("the Basic credentials hold no colon");
    }

    private Verdict CheckBearer(Delivery delivery, string line) =>
        TryTakeScheme(line, "Bearer", out var token) ? Compare(delivery, token) : Refuse("the Authorization header is not Bearer");

    /// <summary>The scheme's name in any case (RFC 9110 §11.1), one or more spaces, and something that holds none.</summary>
    private static bool TryTakeScheme(string line, string scheme, out ReadOnlySpan<char> credentials)
    {
        credentials = default;
        if (line.Length <= scheme.Length || !line.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) || line[scheme.Length] != ' ')
        {
            return false;
        }

        credentials = line.AsSpan(scheme.Length).TrimStart(' ');
        return !credentials.IsEmpty && !credentials.ContainsAny(" \t,");
    }

    private Verdict Compare(Delivery delivery, ReadOnlySpan<char> text)
    {
        Span<byte> bytes = stackalloc byte[text.Length <= 256 ? 256 * 3 : MaxLength * 3];
        return !text.IsEmpty && Utf8.FromUtf16(text, bytes, out _, out var length, replaceInvalidSequences: false) == OperationStatus.Done
            ? Compare(delivery, bytes[..length])
            : Refuse("the credential is empty or not text");
    }

    private Verdict Compare(Delivery delivery, ReadOnlySpan<byte> credential)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(credential, digest);
        foreach (var candidate in expected)
        {
            if (CryptographicOperations.FixedTimeEquals(digest, candidate.Sha256))
            {
                delivery.SecretMatched(candidate.Id);
                if (delivery.Proof is null)
                {
                    delivery.Proof = new VerifiedIdentity(candidate.Id, null, null);
                }

                delivery.RaiseTrust(TrustLevel.Authenticated);
                return Verdict.Pass;
            }
        }

        return Refuse("no active secret is this credential");
    }

    private static Verdict Refuse(string detail) => Verdict.Reject(RejectReason.CredentialMismatch, detail);
}
