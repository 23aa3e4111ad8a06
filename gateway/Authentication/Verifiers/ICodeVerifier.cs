using System.Collections.Immutable;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>
/// A signature that fields cannot describe. Shared by many requests at once, so it keeps nothing of any of them; throws on nothing a stranger sends;
/// its work is bounded by the size of head and body.
/// </summary>
internal interface ICodeVerifier
{
    /// <summary>What the head alone shows: headers there, once each, well formed, near in time. Asked before the body is read.</summary>
    Verdict CheckHead(Delivery delivery, DateTimeOffset now);

    /// <summary>Does any active secret make the signature that came? Stands on its own: it may not rely on <see cref="CheckHead"/> having run.</summary>
    ValueTask<Verification> VerifyAsync(Delivery delivery, DateTimeOffset now, CancellationToken cancellationToken);
}

/// <summary>What verifying came to; on a pass, which secret it was and what the signature covers beside the body. <c>default</c> is a refusal.</summary>
internal readonly record struct Verification(Verdict Verdict, string? KeyId, string? SignedId, long? SignedTime)
{
    public static Verification Accept(string keyId, string? signedId = null, long? signedTime = null) => new(Verdict.Pass, keyId, signedId, signedTime);

    public static Verification Refuse(Verdict verdict) => new(verdict, null, null, null);

    public static Verification Malformed(string detail) => Refuse(Verdict.Reject(RejectReason.SignatureMalformed, detail));

    public static Verification Missing(string detail) => Refuse(Verdict.Reject(RejectReason.SignatureMissing, detail));

    public static Verification Mismatch(string detail = "no active secret makes this signature over this request") =>
        Refuse(Verdict.Reject(RejectReason.SignatureMismatch, detail));

    public static Verification Stale(string detail = "the signed time is too far from now") =>
        Refuse(Verdict.Reject(RejectReason.TimestampOutsideWindow, detail));
}

/// <summary>The first of a code verifier's two checks.</summary>
internal sealed class CodeHeadCheck(ICodeVerifier verifier, TimeProvider time) : IGateCheck
{
    public Stage Stage => Stage.Timestamp;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken) => new(verifier.CheckHead(delivery, time.GetUtcNow()));
}

/// <summary>The second: writes <see cref="Delivery.Proof"/>.</summary>
/// <param name="onPool">Verifying is too much work for a thread that serves sockets, and is left to the thread pool.</param>
internal sealed class CodeSignatureCheck(ICodeVerifier verifier, TrustLevel trust, TimeProvider time, bool onPool) : IGateCheck
{
    public Stage Stage => Stage.Signature;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        if (onPool && !Thread.CurrentThread.IsThreadPoolThread)
        {
            return CheckOnPoolAsync(delivery, cancellationToken);
        }

        var pending = verifier.VerifyAsync(delivery, time.GetUtcNow(), cancellationToken);
        return pending.IsCompletedSuccessfully ? new(Record(delivery, pending.Result)) : FinishAsync(delivery, pending);
    }

    private async ValueTask<Verdict> CheckOnPoolAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return await CheckAsync(delivery, cancellationToken);
    }

    private async ValueTask<Verdict> FinishAsync(Delivery delivery, ValueTask<Verification> pending) => Record(delivery, await pending);

    private Verdict Record(Delivery delivery, in Verification verification)
    {
        if (verification is { Verdict.Passed: true, KeyId: { } keyId })
        {
            ProofRecorder.Add(delivery, trust, keyId, verification.SignedId, verification.SignedTime);
        }

        return verification.Verdict;
    }
}

/// <summary>A kind of scheme that is code: its name, what it promises, which fields it reads, and how it is made.</summary>
internal sealed record CodeVerifierKind
{
    public required string Name { get; init; }

    public required CodeKind Facts { get; init; }

    /// <summary>Verified only when nothing of the body can be changed without the secret.</summary>
    public TrustLevel Trust => Facts.SignsBody ? TrustLevel.Verified : TrustLevel.Authenticated;

    /// <summary>The scheme's fields that mean something here, beside <c>kind</c>.</summary>
    public ImmutableArray<string> Fields { get; init; } = [];

    /// <summary>The URL is part of what is signed, so <c>edge.publicUrl</c> must be written.</summary>
    public bool SignsUrl => Facts.SignsUrl;

    /// <summary>Finds the faults of the fields themselves, with or without secrets at hand.</summary>
    public Action<CodeSetup>? Check { get; init; }

    /// <summary>Null, and a fault in the setup, when it cannot be made of these secrets.</summary>
    public required Func<CodeSetup, ICodeVerifier?> Create { get; init; }
}

/// <summary>What a code verifier is made of.</summary>
internal sealed class CodeSetup(SchemeSpec spec, SchemeContext context, string path, string secretsPath)
{
    private readonly List<ConfigProblem> _problems = [];

    public SchemeSpec Spec => spec;

    public SchemeContext Context => context;

    public IReadOnlyList<ConfigProblem> Problems => _problems;

    public IReadOnlyList<Secret> Secrets { get; init; } = [];

    /// <summary>The URL as the sender has it; null for kinds that sign none.</summary>
    public UrlRule? Url { get; init; }

    public KeyRule Key { get; init; } = new([], KeyEncoding.Utf8, KeyDerivation.None);

    /// <summary>Milliseconds a signed time may be from now; <paramref name="seconds"/> is what the kind says when the scheme does not.</summary>
    public long Tolerance(int seconds) => (spec.Timestamp?.ToleranceSeconds ?? seconds) * 1000L;

    /// <summary>One key object for each secret; faults are reported and leave the list shorter.</summary>
    public ImmutableArray<SigningKey> Keys(System.Security.Cryptography.HashAlgorithmName algorithm, KeyRule? rule = null)
    {
        var keys = ImmutableArray.CreateBuilder<SigningKey>();
        for (var i = 0; i < Secrets.Count; i++)
        {
            Secrets[i].WarnWhenShort(_problems, SecretPath(i));
            if ((rule ?? Key).KeyOf(Secrets[i], _problems, SecretPath(i)) is { } bytes)
            {
                keys.Add(new(Secrets[i].Id, bytes, algorithm, keyed: true));
            }
        }

        return keys.ToImmutable();
    }

    /// <summary>A secret's text before and after its first colon; a fault when there are not two parts.</summary>
    public (string First, string Second)? Pair(int index, string expected)
    {
        var text = Encoding.UTF8.GetString(Secrets[index].Value);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon <= 0 || colon == text.Length - 1)
        {
            SecretFault(index, $"the secret {Secrets[index].Id} is not {expected}", "write both into one secret with a colon between them");
            return null;
        }

        return (text[..colon], text[(colon + 1)..]);
    }

    public void Fault(string field, string message, string hint) => _problems.Add(new($"{path}.{field}", message, hint));

    public void SecretFault(int index, string message, string hint) => _problems.Add(new(SecretPath(index), message, hint));

    private string SecretPath(int index) => $"{secretsPath}[{index}]";
}
