using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
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

    /// <summary>Null when a problem that is not a warning was added. Problems of the secrets themselves stand at <paramref name="secretsPath"/>, by index.</summary>
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
                    problems.Add(new(place, $"{secrets[i].Id} holds the same secret as {secrets[j].Id}", "during a rotation one is the old secret and one the new", IsWarning: true));
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

    private static CompiledScheme? CompileSignature(Plan plan, SignaturePlan signature, IReadOnlyList<Secret> secrets, SchemeContext context, ICollection<ConfigProblem> problems, string secretsPath)
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
            SignsBody = scheme.SignsBody,
            SignsId = signature.Id is { IsSigned: true },
            SignsTime = signature.Time is { ToleranceMilliseconds: > 0 } time && (time.Json is not null || signature.Template.Has(PartKind.Timestamp)),
            Trust = trust,
        };
    }

    private static CompiledScheme? CompileCode(
        CodeVerifierKind kind, SchemeSpec spec, Plan plan, IReadOnlyList<Secret> secrets, SchemeContext context, ICollection<ConfigProblem> problems, string path, string secretsPath)
    {
        var setup = new CodeSetup(spec, context, path, secretsPath) { Secrets = secrets, Url = plan.Url, Key = plan.Key ?? new([], KeyEncoding.Utf8, KeyDerivation.None) };
        var verifier = kind.Create(setup);
        foreach (var problem in setup.Problems)
        {
            problems.Add(problem);
        }

        return verifier is null || setup.Problems.Any(static problem => !problem.IsWarning)
            ? null
            : new()
            {
                Checks = [new CodeHeadCheck(verifier, context.Time), new CodeSignatureCheck(verifier, kind.Trust, context.Time, CodeVerifiers.UsesPublicKeys(kind))],
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
                problems.Add(new(place, $"the secret {secrets[i].Id} holds a space or a comma, which no Bearer token does", "write the token alone, without the word Bearer"));
                continue;
            }

            if (secrets[i].Value.Length > CredentialCheck.MaxLength / 2)
            {
                problems.Add(new(place, $"the secret {secrets[i].Id} is longer than {CredentialCheck.MaxLength / 2} bytes", "no sender puts that much into a header; is it the right file?"));
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
        var reader = new SchemeReader(spec, context, path);
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

        foreach (var problem in reader.Problems)
        {
            problems.Add(problem);
        }

        return reader.Problems.All(problem => problem.IsWarning) ? plan : null;
    }
}

/// <summary>A scheme without its secrets.</summary>
internal sealed record Plan(ImmutableArray<string> Headers, string Prefix, ImmutableArray<RequiredHeader> Required, CredentialKind Credential, SignaturePlan? Signature)
{
    /// <summary>Set for a kind that is code; then the URL and the key rule stand here.</summary>
    public CodeVerifierKind? Code { get; init; }

    public UrlRule? Url { get; init; }

    public KeyRule? Key { get; init; }
}

internal sealed record SignaturePlan(
    HashAlgorithmName Algorithm,
    bool Keyed,
    bool Numbered,
    SignatureHeader Grammar,
    SigningTemplate Template,
    bool AcceptsEmptyBody,
    TimeRule? Time,
    IdRule? Id,
    UrlRule? Url,
    KeyRule Key)
{
    /// <summary>Name of the public-key kind; null for a shared secret.</summary>
    public string? PublicKey { get; init; }
}

/// <summary>Reads one scheme field by field, so that each fault is reported and none hides another.</summary>
internal sealed class SchemeReader(SchemeSpec spec, SchemeContext context, string path)
{
    private readonly List<ConfigProblem> _problems = [];

    public IReadOnlyList<ConfigProblem> Problems => _problems;

    public Plan ReadCredential(CredentialKind kind)
    {
        var word = kind.ToString().ToLowerInvariant();
        foreach (var (name, written) in new (string, bool)[]
        {
            ("algorithm", spec.Algorithm is not null), ("encoding", spec.Encoding is not null), ("entries", spec.Entries is not null), ("signed", spec.Signed is not null),
            ("unsignedBody", spec.UnsignedBody is not null), ("emptyBody", spec.EmptyBody is not null), ("timestamp", spec.Timestamp is not null), ("id", spec.Id is not null),
            ("key", spec.Key is not null), ("claims", spec.Claims is not null), ("keysUrl", spec.KeysUrl is not null), ("header", spec.Header is not null && kind != CredentialKind.Token), ("prefix", spec.Prefix is not null && kind != CredentialKind.Token),
        })
        {
            if (written)
            {
                var hint = name is "header" or "prefix" ? $"{word} reads the Authorization header; for another header use the kind token" : $"a {word} is compared as a whole and signs nothing; remove it";
                Fault(name, $"means nothing with the kind {word}", hint);
            }
        }

        var headers = kind == CredentialKind.Token ? ReadHeaders(out _) : ["Authorization"];
        return new(headers, spec.Prefix ?? "", ReadRequired(), kind, null);
    }

    /// <summary>A kind that is code: what it does not read may not be written, or somebody believes that it is checked.</summary>
    public Plan ReadCode(CodeVerifierKind kind)
    {
        foreach (var (name, written) in WrittenFields())
        {
            if (written && !kind.Fields.Contains(name))
            {
                Fault(name, $"means nothing with the kind {kind.Name}", kind.Fields.Length == 0 ? "remove it" : $"it reads {string.Join(", ", kind.Fields)}");
            }
        }

        var setup = new CodeSetup(spec, context, path, path);
        kind.Check?.Invoke(setup);
        _problems.AddRange(setup.Problems);
        return new([], "", [], default, null) { Code = kind, Url = kind.SignsUrl || spec.Claims?.Url is not null ? ReadUrl() : null, Key = ReadKey() };
    }

    private (string Name, bool Written)[] WrittenFields() =>
    [
        ("algorithm", spec.Algorithm is not null), ("header", spec.Header is not null), ("encoding", spec.Encoding is not null), ("prefix", spec.Prefix is not null),
        ("entries", spec.Entries is not null), ("signed", spec.Signed is not null), ("unsignedBody", spec.UnsignedBody is not null), ("emptyBody", spec.EmptyBody is not null),
        ("timestamp.from", spec.Timestamp?.From is not null), ("timestamp.unit", spec.Timestamp?.Unit is not null), ("timestamp.toleranceSeconds", spec.Timestamp?.ToleranceSeconds is not null),
        ("id", spec.Id is not null), ("key", spec.Key is not null), ("require", spec.Require is not null), ("claims", spec.Claims is not null), ("keysUrl", spec.KeysUrl is not null),
    ];

    /// <param name="publicKey">Name of a public-key kind, which differs from hmac in the primitive alone; null for hmac and digest.</param>
    public Plan ReadSignature(bool keyed, string? publicKey = null)
    {
        if (spec.Claims is not null || spec.KeysUrl is not null)
        {
            Fault(spec.Claims is not null ? "claims" : "keysUrl", $"means nothing with the kind {spec.Kind ?? "hmac"}", "remove it");
        }

        var headers = ReadHeaders(out var numbered);
        var (algorithm, macLength) = spec.Algorithm switch
        {
            MacAlgorithm.Sha1 => (HashAlgorithmName.SHA1, 20),
            MacAlgorithm.Sha512 => (HashAlgorithmName.SHA512, 64),
            _ => (HashAlgorithmName.SHA256, 32),
        };
        var encoding = spec.Encoding ?? MacEncoding.Hex;
        var template = SigningTemplate.Compile(spec.Signed ?? "{body}", _problems, path + ".signed");
        var time = ReadTime(template, out var timeEntry);
        var entries = ReadEntries(timeEntry);
        if (spec.Prefix is not null && spec.Entries is not null)
        {
            Fault("prefix", "prefix and entries exclude each other", "a prefix before each entry is its key: \"entries\": { \"key\": \"sha256\", \"keySeparator\": \"=\" }");
        }

        if (spec.Prefix is { } prefix && (prefix.Length == 0 || prefix[0] is ' ' or '\t'))
        {
            Fault("prefix", "empty, or begins with a space", "leave it out when the header holds the signature alone");
        }

        var id = ReadId(template);
        var url = template?.Has(PartKind.Url) == true ? ReadUrl() : null;
        if (template is not null)
        {
            CheckTemplate(template, time, keyed);
        }

        // With a fault above, the placeholder for a missing template is never run: the caller drops the plan.
        template ??= SigningTemplate.Compile("{body}", _problems, path)!;
        var (longest, least) = publicKey switch
        {
            "ed25519" => (64, 64),

            // DER: two integers of at most 33 bytes and their heads; both can be short, though hardly ever are.
            "ecdsa-p256" => (72, 8),

            // 2048 to 4096 bits.
            "rsa-key" => (512, 256),
            _ => (macLength, macLength),
        };
        CheckPublicKey(publicKey, algorithm, template);
        var grammar = new SignatureHeader(encoding, longest, spec.Prefix ?? "", entries) { LeastLength = least };
        return new(headers, "", ReadRequired(), default, new(algorithm, keyed, numbered, grammar, template, spec.EmptyBody == true, time, id, url, ReadKey()) { PublicKey = publicKey });
    }

    private void CheckPublicKey(string? kind, HashAlgorithmName algorithm, SigningTemplate template)
    {
        if (kind is null)
        {
            return;
        }

        if (kind == "ed25519" && spec.Algorithm is not null)
        {
            Fault("algorithm", "means nothing with the kind ed25519", "remove it");
        }
        else if (kind == "ecdsa-p256" && algorithm != HashAlgorithmName.SHA256)
        {
            Fault("algorithm", "P-256 goes with sha256", "remove it");
        }
        else if (kind == "rsa-key" && algorithm == HashAlgorithmName.SHA1)
        {
            Fault("algorithm", "two messages with one SHA-1 can be made", "write sha256 or sha512");
        }

        if (template.Has(PartKind.Secret))
        {
            Fault("signed", "{secret} in what a public key checks", "remove it; both sides of this scheme know the key");
        }

        if (spec.Key?.Derive is not (null or KeyDerivation.None))
        {
            Fault("key.derive", $"means nothing with the kind {kind}", "remove it");
        }

        if (kind == "ed25519" && !Ed25519.IsAvailable)
        {
            Fault("kind", "Ed25519 needs OpenSSL's libcrypto (1.1.1 or newer), which was not found", "install it, e.g. apt-get install libssl3; the container image has it");
        }
    }

    private void CheckTemplate(SigningTemplate template, TimeRule? time, bool keyed)
    {
        if (!template.Has(PartKind.Body) && spec.UnsignedBody != true)
        {
            Fault("signed", "the body is not signed", "add {body}; if the sender really signs none of it, say \"unsignedBody\": true");
        }

        if (template.Has(PartKind.Body) && spec.UnsignedBody == true)
        {
            Fault("unsignedBody", "the signed text holds {body}", "remove unsignedBody");
        }

        if (!keyed && !template.Has(PartKind.Secret))
        {
            Fault("signed", "a digest without {secret} can be made by anyone", "add {secret} where the sender puts it, or use the kind hmac");
        }

        if (!keyed && template.Parts[0].Kind == PartKind.Secret && template.Parts[^1].Kind != PartKind.Secret)
        {
            Warn("signed", "a plain hash that begins with the secret can be extended by a stranger", "use the sender's hmac scheme if it has one");
        }

        if (template.Has(PartKind.Timestamp) && (time is null || time.Json is not null) && !Faulty("timestamp"))
        {
            Fault("signed", time is null ? "{timestamp} without a timestamp rule" : "{timestamp} stands in the body, which is signed already", time is null ? "say where it stands: \"timestamp\": { \"from\": \"header:X-Timestamp\" }" : "sign {body}, or name the header the time stands in");
        }

        if (time is { Json: null, ToleranceMilliseconds: > 0 } && !template.Has(PartKind.Timestamp) && !(time.Header is { } header && template.HasHeader(header)))
        {
            Warn("timestamp", "the timestamp is not signed, so it does not stop replays", "a stranger can put a new time on a captured request; rely on replay instead");
        }

        if (time?.Json is not null && !template.Has(PartKind.Body))
        {
            Fault("timestamp.from", "the time stands in a body that is not signed", "sign {body}");
        }

        for (var i = 1; i < template.Parts.Length; i++)
        {
            var (left, right) = (template.Parts[i - 1].Kind, template.Parts[i].Kind);
            if ((IsLoose(left) && IsVariable(right)) || (IsLoose(right) && IsVariable(left)) || (IsUnboundTime(left, time) && IsVariable(right)) || (IsUnboundTime(right, time) && IsVariable(left)))
            {
                Warn("signed", $"nothing separates {Word(template.Parts[i - 1])} from {Word(template.Parts[i])}", "the border between them is not signed; put the separator there if the sender has one");
            }
        }
    }

    private static bool IsLoose(PartKind kind) => kind is PartKind.Id or PartKind.Header;

    private static bool IsVariable(PartKind kind) => kind is PartKind.Body or PartKind.Id or PartKind.Header or PartKind.Url or PartKind.Method;

    // Digits without an age check may lend a digit to their neighbour; with one, or in ISO form, the border is fixed.
    private static bool IsUnboundTime(PartKind kind, TimeRule? time) => kind == PartKind.Timestamp && time is { ToleranceMilliseconds: 0, Unit: not TimeUnit.Iso };

    private static string Word(SignedPart part) => part.Kind == PartKind.Header ? $"{{header:{part.Header}}}" : $"{{{part.Kind.ToString().ToLowerInvariant()}}}";

    private ImmutableArray<string> ReadHeaders(out bool numbered)
    {
        numbered = false;
        var names = spec.Header?.Values ?? [];
        if (names.Count == 0)
        {
            Fault("header", "missing", "name the header that carries the signature or the token");
            return [];
        }

        if (names.Count > 8)
        {
            Fault("header", "more than 8 headers", "a sender that numbers them is written once, as X-Signature-{n}");
            return [];
        }

        var result = ImmutableArray.CreateBuilder<string>();
        foreach (var name in names)
        {
            if (name.EndsWith("{n}", StringComparison.Ordinal) && names.Count == 1 && StrictText.IsHeaderName(name.AsSpan(0, name.Length - 3)))
            {
                numbered = true;
                result.AddRange(Enumerable.Range(1, SignatureHeader.MaxEntries).Select(n => name[..^3] + n));
            }
            else if (!StrictText.IsHeaderName(name))
            {
                Fault("header", $"\"{name}\" is not a header name", "letters, digits and hyphens; {n} only at the end of a single name");
            }
            else if (result.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                Fault("header", $"\"{name}\" stands there twice", "remove one");
            }
            else
            {
                result.Add(name);
            }
        }

        return result.DrainToImmutable();
    }

    private ImmutableArray<RequiredHeader> ReadRequired()
    {
        var result = ImmutableArray.CreateBuilder<RequiredHeader>();
        foreach (var (name, value) in spec.Require ?? [])
        {
            if (!StrictText.IsHeaderName(name) || string.IsNullOrEmpty(value))
            {
                Fault("require", $"\"{name}\" is not a header name, or its value is empty", "write \"Header-Name\": \"the exact value\"");
                continue;
            }

            result.Add(new(name, value));
        }

        return result.DrainToImmutable();
    }

    private EntryGrammar? ReadEntries(string? timeEntry)
    {
        if (spec.Entries is not { } entries)
        {
            if (timeEntry is not null)
            {
                Fault("timestamp.from", $"\"entry:{timeEntry}\" without entries", "describe the list: \"entries\": { \"separator\": \",\", \"keySeparator\": \"=\", \"key\": \"v1\" }");
            }

            return null;
        }

        if (string.IsNullOrEmpty(entries.Separator))
        {
            Fault("entries.separator", "missing", "write what stands between entries, e.g. \",\"");
        }

        if (entries.KeySeparator is { Length: 0 } || entries.Group is { Length: 0 } || entries.Key is { Length: 0 })
        {
            Fault("entries", "an empty text among separator, keySeparator, key and group", "leave out what the sender does not have");
        }

        if (entries.Key is null && (timeEntry is not null || entries.KeySeparator is not null))
        {
            Fault("entries.key", "missing", "name the key of a signature entry, e.g. \"v1\"; without keySeparator every entry is a signature");
        }

        if (entries.Key is not null && entries.Key == timeEntry)
        {
            Fault("entries.key", $"\"{timeEntry}\" is the timestamp's key too", "one entry cannot be both");
        }

        var keySeparator = entries.KeySeparator ?? "=";
        if (entries.Separator == keySeparator)
        {
            Fault("entries.keySeparator", "the same as separator", "a list needs two different ones");
        }

        return new(entries.Separator ?? ",", entries.Group, keySeparator, entries.Key, timeEntry);
    }

    private TimeRule? ReadTime(SigningTemplate? template, out string? entry)
    {
        entry = null;
        if (spec.Timestamp is not { } written)
        {
            return null;
        }

        var unit = written.Unit ?? TimeUnit.Seconds;
        if (written.ToleranceSeconds is < 0)
        {
            Fault("timestamp.toleranceSeconds", "negative", "write seconds, e.g. 300; 0 = no age check");
        }
        else if (written.ToleranceSeconds is > 86_400)
        {
            Warn("timestamp.toleranceSeconds", "longer than a day", "a captured request stays good that long; most senders need 300");
        }
        else if (written.ToleranceSeconds is 0 && template is not null)
        {
            Warn("timestamp.toleranceSeconds", "0 means that a captured request stays good for ever", "write how far a time may be from now, e.g. 300");
        }

        var tolerance = (written.ToleranceSeconds ?? 300) * 1000L;
        switch (Place(written.From))
        {
            case ("entry", { Length: > 0 } key):
                entry = key;
                return new(key, null, null, unit, tolerance);
            case ("header", var name) when StrictText.IsHeaderName(name):
                return new(null, name, null, unit, tolerance);
            case ("json", var text) when JsonPointer.TryParse(text, out var pointer) && pointer.Text.Length > 0:
                return new(null, null, pointer, unit, tolerance);
            default:
                Fault("timestamp.from", written.From is null ? "missing" : $"\"{written.From}\" is not a place", "write \"entry:t\", \"header:X-Timestamp\" or \"json:/sent_at\"");
                return null;
        }
    }

    private IdRule? ReadId(SigningTemplate? template)
    {
        var signs = template?.Has(PartKind.Id) == true;
        if (spec.Id is null)
        {
            if (signs)
            {
                Fault("signed", "{id} without an id", "say where it stands: \"id\": \"header:webhook-id\"");
            }

            return null;
        }

        switch (Place(spec.Id))
        {
            case ("header", var name) when StrictText.IsHeaderName(name):
                return new(name, null, signs || template?.HasHeader(name) == true);
            case ("json", var text) when JsonPointer.TryParse(text, out var pointer) && pointer.Text.Length > 0:
                if (signs)
                {
                    Fault("signed", "{id} stands in the body, which is signed already", "sign {body} alone, or name the header the id stands in");
                }

                if (template?.Has(PartKind.Body) == false)
                {
                    Fault("id", "the id stands in a body that is not signed", "remove it, or sign {body}");
                }

                return new(null, pointer, true);
            default:
                Fault("id", $"\"{spec.Id}\" is not a place", "write \"header:webhook-id\" or \"json:/id\"");
                return null;
        }
    }

    private UrlRule? ReadUrl()
    {
        if (context.PublicUrl is null)
        {
            Fault("signed", "{url} needs the URL the sender knows", "write edge.publicUrl, e.g. \"https://hooks.example.com\"");
            return null;
        }

        if (!Uri.TryCreate(context.PublicUrl, UriKind.Absolute, out var uri) || (uri.Scheme != "https" && uri.Scheme != "http") || context.PublicUrl.AsSpan().ContainsAny("?#") || !StrictText.IsPlain(context.PublicUrl))
        {
            Fault("signed", "{url} needs an http or https URL without query in edge.publicUrl", "write it as the sender has it, e.g. \"https://hooks.example.com\"");
            return null;
        }

        // Exactly as written: no port added, no case changed, since the sender signs the text it was given.
        var front = context.PublicUrl.TrimEnd('/');
        var isPrefix = context.RoutePath.EndsWith('/') || context.RoutePath.EndsWith("/{**rest}", StringComparison.Ordinal);
        return new(Encoding.UTF8.GetBytes(isPrefix ? front : front + context.RoutePath), isPrefix);
    }

    private KeyRule ReadKey() => new(
        Encoding.UTF8.GetBytes(spec.Key?.Strip ?? ""),
        spec.Key?.Encoding ?? KeyEncoding.Utf8,
        spec.Key?.Derive ?? KeyDerivation.None);

    private static (string Kind, string Name) Place(string? text)
    {
        var colon = text?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        return colon < 0 ? ("", "") : (text![..colon], text[(colon + 1)..]);
    }

    private bool Faulty(string field) => _problems.Exists(problem => !problem.IsWarning && problem.Path.StartsWith($"{path}.{field}", StringComparison.Ordinal));

    private void Fault(string field, string message, string hint) => _problems.Add(new($"{path}.{field}", message, hint));

    private void Warn(string field, string message, string hint) => _problems.Add(new($"{path}.{field}", message, hint, IsWarning: true));
}
