using System.Collections.Immutable;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>
/// Scheme as written → checks. Everything a request does not change is decided here: names, templates, key bytes, digests. Every fault is reported
/// at once. The rules of this folder cannot be switched off by a scheme; where one would weaken itself by accident, it does not load.
/// </summary>
internal static class SchemeCompiler
{
    private const string DefaultKind = "hmac";

    private static readonly string[] Kinds = [.. KnownNames.SchemeKinds, .. CodeVerifiers.Facts.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The faults of a scheme on its own, for when the secrets are not at hand.</summary>
    public static IReadOnlyList<ConfigProblem> Validate(SchemeSpec spec, SchemeContext context, string path)
    {
        var problems = new List<ConfigProblem>();
        Read(spec, context, problems, path);
        return problems;
    }

    /// <summary>
    /// Null when a problem that is not a warning was added. Problems of the secrets themselves stand at <paramref name="secretsPath"/>, by index.
    /// </summary>
    public static CompiledScheme? Compile(
        SchemeSpec spec,
        IReadOnlyList<Secret> secrets,
        SchemeContext context,
        ICollection<ConfigProblem> problems,
        string path,
        string? secretsPath = null)
    {
        var plan = Read(spec, context, problems, path);
        secretsPath ??= path + ".secrets";
        if (secrets.Count == 0)
        {
            problems.Add(new(secretsPath, "no secret", "write at least one reference, \"env:NAME\" or \"file:PATH\""));
            return null;
        }

        var usable = true;
        for (var i = 0; i < secrets.Count; i++)
        {
            var place = $"{secretsPath}[{i}]";
            usable &= secrets[i].Inspect(problems, place, isPem: plan?.Signature?.PublicKey is not null && PemText.LooksLikePem(secrets[i].Value));
            for (var j = 0; j < i; j++)
            {
                if (secrets[i].Value.SequenceEqual(secrets[j].Value))
                {
                    problems.Add(new(place, $"{secrets[i].Id} holds the same secret as {secrets[j].Id}",
                        "during a rotation one is the old secret and one the new", IsWarning: true));
                }
            }
        }

        if (plan is null || !usable)
        {
            return null;
        }

        if (plan.Code is { } code)
        {
            return CompileCode(code, spec, plan, secrets, context, problems, path, secretsPath);
        }

        return plan.Signature is { } signature
            ? CompileSignature(plan, signature, secrets, context, problems, secretsPath)
            : CompileCredential(plan, secrets, problems, secretsPath);
    }

    private static CompiledScheme? CompileSignature(Plan plan, SignaturePlan signature,
        IReadOnlyList<Secret> secrets, SchemeContext context, ICollection<ConfigProblem> problems, string secretsPath)
    {
        if (signature.PublicKey is { } publicKey)
        {
            return PublicKeyReader.Read(publicKey, signature, secrets, problems, secretsPath) is { } read ? Finish(plan, signature, [], read, context) : null;
        }

        var keys = ImmutableArray.CreateBuilder<SigningKey>(secrets.Count);
        for (var i = 0; i < secrets.Count; i++)
        {
            var place = $"{secretsPath}[{i}]";
            secrets[i].WarnWhenShort(problems, place);
            if (signature.Key.KeyOf(secrets[i], problems, place) is { } bytes)
            {
                keys.Add(new(secrets[i].Id, bytes, signature.Algorithm, signature.Keyed));
            }
        }

        return keys.Count < secrets.Count ? null : Finish(plan, signature, keys.DrainToImmutable(), null, context);
    }

    private static CompiledScheme Finish(Plan plan, SignaturePlan signature, ImmutableArray<SigningKey> keys, PublicKeySet? publicKeys, SchemeContext context)
    {
        var scheme = new SignatureScheme
        {
            Headers = plan.Headers,
            Numbered = signature.Numbered,
            Grammar = signature.Grammar,
            Template = signature.Template,
            AcceptsEmptyBody = signature.AcceptsEmptyBody,
            Time = signature.Time,
            Id = signature.Id,
            Url = signature.Url,
            Required = plan.Required,
            Keys = keys,
            PublicKeys = publicKeys,
        };
        var trust = scheme.SignsBody ? TrustLevel.Verified : TrustLevel.Authenticated;
        return new()
        {
            Checks = [new SignatureHeadCheck(scheme, context.Time), new SignatureCheck(scheme, trust, context.Time)],
            // A signature of nothing but constants is a credential: who has seen one can use it again.
            CredentialHeaders = signature.Template.IsConstant ? [.. plan.Headers.Select(static name => name.ToLowerInvariant())] : [],
            SignsBody = scheme.SignsBody,
            SignsId = signature.Id is { IsSigned: true },
            SignsTime = signature.Time is { ToleranceMilliseconds: > 0 } time && (time.Json is not null || signature.Template.Has(PartKind.Timestamp)),
            Trust = trust,
        };
    }

    private static CompiledScheme? CompileCode(
        CodeVerifierKind kind, SchemeSpec spec, Plan plan, IReadOnlyList<Secret> secrets, SchemeContext context, ICollection<ConfigProblem> problems,
        string path, string secretsPath)
    {
        var setup = new CodeSetup(spec, context, path, secretsPath) { Secrets = secrets, Url = plan.Url,
            Key = plan.Key ?? new([], KeyEncoding.Utf8, KeyDerivation.None) };
        var verifier = kind.Create(setup);
        foreach (var problem in setup.Problems)
        {
            problems.Add(problem);
        }

        return verifier is null || setup.Problems.Any(static problem => !problem.IsWarning)
            ? null
            : new()
            {
                Checks = [new CodeHeadCheck(verifier, context.Time),
                    new CodeSignatureCheck(verifier, kind.Trust, context.Time, CodeVerifiers.UsesPublicKeys(kind))],
                SignsBody = kind.Facts.SignsBody,
                SignsId = kind.Facts.SignsId || spec.Claims?.Id is not null,
                SignsTime = kind.Facts.SignsTime || spec.Claims?.MaxAgeSeconds is not null,
                Trust = kind.Trust,
            };
    }

    private static CompiledScheme? CompileCredential(Plan plan, IReadOnlyList<Secret> secrets, ICollection<ConfigProblem> problems, string secretsPath)
    {
        var digests = ImmutableArray.CreateBuilder<CredentialDigest>(secrets.Count);
        for (var i = 0; i < secrets.Count; i++)
        {
            var place = $"{secretsPath}[{i}]";
            var colon = secrets[i].Value.IndexOf((byte)':');
            if (plan.Credential == CredentialKind.Basic && (colon <= 0 || colon == secrets[i].Value.Length - 1))
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} is not a user and a password", "write user:password, split at the first colon"));
                continue;
            }

            if (plan.Credential != CredentialKind.Basic)
            {
                secrets[i].WarnWhenShort(problems, place);
            }

            if (plan.Credential == CredentialKind.Bearer && secrets[i].Value.ContainsAny(" \t,"u8))
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} holds a space or a comma, which no Bearer token does",
                    "write the token alone, without the word Bearer"));
                continue;
            }

            if (secrets[i].Value.Length > CredentialCheck.MaxLength / 2)
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} is longer than {CredentialCheck.MaxLength / 2} bytes",
                    "no sender puts that much into a header; is it the right file?"));
                continue;
            }

            digests.Add(new(secrets[i].Id, secrets[i].Digest()));
        }

        return digests.Count < secrets.Count
            ? null
            : new()
            {
                Checks = [new CredentialCheck(plan.Credential, plan.Headers, plan.Prefix, plan.Required, digests.DrainToImmutable())],
                CredentialHeaders = [.. plan.Headers.Select(name => name.ToLowerInvariant())],
                Trust = TrustLevel.Authenticated,
            };
    }

    private static Plan? Read(SchemeSpec spec, SchemeContext context, ICollection<ConfigProblem> problems, string path)
    {
        var faults = new SchemeFaults(path);
        var reader = new SchemeReader(spec, context, path, faults);
        var kind = spec.Kind ?? DefaultKind;
        var plan = kind switch
        {
            "hmac" or "digest" => reader.ReadSignature(keyed: kind == "hmac"),
            "token" => reader.ReadCredential(CredentialKind.Token),
            "basic" => reader.ReadCredential(CredentialKind.Basic),
            "bearer" => reader.ReadCredential(CredentialKind.Bearer),
            _ when CodeVerifiers.PublicKeyKinds.ContainsKey(kind) => reader.ReadSignature(keyed: true, kind),
            _ when CodeVerifiers.All.TryGetValue(kind, out var code) => reader.ReadCode(code),
            _ => null,
        };
        if (plan is null)
        {
            problems.Add(new(path + ".kind", $"unknown kind \"{kind}\"", NearestName.Hint(kind, Kinds) ?? $"kinds are {string.Join(", ", Kinds)}"));
            return null;
        }

        foreach (var problem in faults.Problems)
        {
            problems.Add(problem);
        }

        return faults.Problems.TrueForAll(problem => problem.IsWarning) ? plan : null;
    }
}
