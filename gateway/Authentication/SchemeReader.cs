using System.Security.Cryptography;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>Reads one scheme by its kind.</summary>
internal sealed class SchemeReader(SchemeSpec spec, SchemeContext context, string path, SchemeFaults faults)
{
    private readonly SchemeParts _parts = new(spec, context, faults);

    public Plan ReadCredential(CredentialKind kind)
    {
        var word = kind.ToString().ToLowerInvariant();
        foreach (var (name, written) in new (string, bool)[]
        {
            ("algorithm", spec.Algorithm is not null), ("encoding", spec.Encoding is not null), ("entries", spec.Entries is not null),
                ("signed", spec.Signed is not null),
            ("unsignedBody", spec.UnsignedBody is not null), ("emptyBody", spec.EmptyBody is not null), ("timestamp", spec.Timestamp is not null),
            ("id", spec.Id is not null),
            ("key", spec.Key is not null), ("claims", spec.Claims is not null), ("keysUrl", spec.KeysUrl is not null),
            ("header", spec.Header is not null && kind != CredentialKind.Token), ("prefix", spec.Prefix is not null && kind != CredentialKind.Token),
        })
        {
            if (written)
            {
                var hint = name is "header" or "prefix" ? $"{word} reads the Authorization header; for another header use the kind token"
                    : $"a {word} is compared as a whole and signs nothing; remove it";
                faults.Fault(name, $"means nothing with the kind {word}", hint);
            }
        }

        var headers = kind == CredentialKind.Token ? _parts.ReadHeaders(out _) : ["Authorization"];
        return new(headers, spec.Prefix ?? "", _parts.ReadRequired(), kind, null);
    }

    /// <summary>A kind that is code: what it does not read may not be written, or somebody believes that it is checked.</summary>
    public Plan ReadCode(CodeVerifierKind kind)
    {
        foreach (var (name, written) in WrittenFields())
        {
            if (written && !kind.Fields.Contains(name))
            {
                faults.Fault(name, $"means nothing with the kind {kind.Name}",
                    kind.Fields.Length == 0 ? "remove it" : $"it reads {string.Join(", ", kind.Fields)}");
            }
        }

        var setup = new CodeSetup(spec, context, path, path);
        kind.Check?.Invoke(setup);
        faults.Problems.AddRange(setup.Problems);
        return new([], "", [], default, null) { Code = kind, Url = kind.SignsUrl || spec.Claims?.Url is not null ? _parts.ReadUrl() : null,
            Key = _parts.ReadKey() };
    }

    private (string Name, bool Written)[] WrittenFields() =>
    [
        ("algorithm", spec.Algorithm is not null), ("header", spec.Header is not null), ("encoding", spec.Encoding is not null),
        ("prefix", spec.Prefix is not null),
        ("entries", spec.Entries is not null), ("signed", spec.Signed is not null), ("unsignedBody", spec.UnsignedBody is not null),
        ("emptyBody", spec.EmptyBody is not null),
        ("timestamp.from", spec.Timestamp?.From is not null), ("timestamp.unit", spec.Timestamp?.Unit is not null),
        ("timestamp.toleranceSeconds", spec.Timestamp?.ToleranceSeconds is not null),
        ("id", spec.Id is not null), ("key", spec.Key is not null), ("require", spec.Require is not null), ("claims", spec.Claims is not null),
        ("keysUrl", spec.KeysUrl is not null),
    ];

    /// <param name="publicKey">Name of a public-key kind, which differs from hmac in the primitive alone; null for hmac and digest.</param>
    public Plan ReadSignature(bool keyed, string? publicKey = null)
    {
        if (spec.Claims is not null || spec.KeysUrl is not null)
        {
            faults.Fault(spec.Claims is not null ? "claims" : "keysUrl", $"means nothing with the kind {spec.Kind ?? "hmac"}", "remove it");
        }

        var headers = _parts.ReadHeaders(out var numbered);
        var (algorithm, macLength) = spec.Algorithm switch
        {
            MacAlgorithm.Sha1 => (HashAlgorithmName.SHA1, 20),
            MacAlgorithm.Sha512 => (HashAlgorithmName.SHA512, 64),
            _ => (HashAlgorithmName.SHA256, 32),
        };
        var encoding = spec.Encoding ?? MacEncoding.Hex;
        var template = SigningTemplate.Compile(spec.Signed ?? "{body}", faults.Problems, path + ".signed");
        var time = _parts.ReadTime(template, out var timeEntry);
        var entries = _parts.ReadEntries(timeEntry);
        if (spec.Prefix is not null && spec.Entries is not null)
        {
            faults.Fault("prefix", "prefix and entries exclude each other",
                "a prefix before each entry is its key: \"entries\": { \"key\": \"sha256\", \"keySeparator\": \"=\" }");
        }

        if (spec.Prefix is { } prefix && (prefix.Length == 0 || prefix[0] is ' ' or '\t'))
        {
            faults.Fault("prefix", "empty, or begins with a space", "leave it out when the header holds the signature alone");
        }

        var id = _parts.ReadId(template);
        var url = template?.Has(PartKind.Url) == true ? _parts.ReadUrl() : null;
        if (template is not null)
        {
            TemplateRules.Check(spec, faults, template, time, keyed);
        }

        // With a fault above, the placeholder for a missing template is never run: the caller drops the plan.
        template ??= SigningTemplate.Compile("{body}", faults.Problems, path)!;
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
        return new(headers, "", _parts.ReadRequired(), default,
            new(algorithm, keyed, numbered, grammar, template, spec.EmptyBody == true, time, id, url, _parts.ReadKey()) { PublicKey = publicKey });
    }

    private void CheckPublicKey(string? kind, HashAlgorithmName algorithm, SigningTemplate template)
    {
        if (kind is null)
        {
            return;
        }

        if (kind == "ed25519" && spec.Algorithm is not null)
        {
            faults.Fault("algorithm", "means nothing with the kind ed25519", "remove it");
        }
        else if (kind == "ecdsa-p256" && algorithm != HashAlgorithmName.SHA256)
        {
            faults.Fault("algorithm", "P-256 goes with sha256", "remove it");
        }
        else if (kind == "rsa-key" && algorithm == HashAlgorithmName.SHA1)
        {
            faults.Fault("algorithm", "two messages with one SHA-1 can be made", "write sha256 or sha512");
        }

        if (template.Has(PartKind.Secret))
        {
            faults.Fault("signed", "{secret} in what a public key checks", "remove it; both sides of this scheme know the key");
        }

        if (spec.Key?.Derive is not (null or KeyDerivation.None))
        {
            faults.Fault("key.derive", $"means nothing with the kind {kind}", "remove it");
        }

        if (kind == "ed25519" && !Ed25519.IsAvailable)
        {
            faults.Fault("kind", "Ed25519 needs OpenSSL's libcrypto (1.1.1 or newer), which was not found",
                "install it, e.g. apt-get install libssl3; the container image has it");
        }
    }
}
