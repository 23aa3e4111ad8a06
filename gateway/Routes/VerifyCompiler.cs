using System.Collections.Immutable;
using WebhookEdge.Authentication;
using WebhookEdge.Authentication.Verifiers;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Handshakes;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes;

/// <summary>A route's checks of who sends, and the challenge of its sender that the gateway answers.</summary>
internal sealed class VerifyCompiler(RemoteKeys keys, TimeProvider time)
{
    public CompiledProof CompileVerify(Compilation work, ResolvedRoute route, Action<IGateCheck, bool> add)
    {
        var proof = new CompiledProof();
        var context = new SchemeContext(work.File.Edge?.PublicUrl, route.LiteralPath, time, keys);
        foreach (var check in route.Verify)
        {
            if (check.Scheme is not { } spec)
            {
                continue;
            }

            var secrets = new List<Secret>();
            for (var i = 0; i < (check.Secrets?.Count ?? 0); i++)
            {
                var reference = check.Secrets![i];
                if (work.Resolve(reference, JsonPath.Item(check.SecretsPlace, i)) is { } value)
                {
                    secrets.Add(new(reference, value));
                    proof.Secrets.Add(secrets[^1]);
                }
            }

            if (secrets.Count == 0)
            {
                // No secret to be had here: whatever the reason, it was said; the scheme itself can still be judged.
                work.Problems.AddRange(SchemeCompiler.Validate(spec, context, check.SchemePlace));
                continue;
            }

            if (SchemeCompiler.Compile(spec, secrets, context, work.Problems, check.SchemePlace, check.SecretsPlace) is { } compiled)
            {
                foreach (var one in compiled.Checks)
                {
                    add(one, check.Observes);
                }

                proof.CredentialHeaders.UnionWith(compiled.CredentialHeaders);
                proof.SignsId |= compiled.SignsId;
                proof.SignsBody |= compiled.SignsBody && !check.Observes;
            }
        }

        return proof;
    }

    /// <summary>Never shadowed: an answer is given to what a challenge proves, or not at all.</summary>
    public static HandshakeCheck? CompileHandshake(Compilation work, ResolvedRoute route, CompiledProof proof)
    {
        if (route.Handshake is not { } kind)
        {
            return null;
        }

        byte[]? token = null;
        if (route.Written.Handshake?.VerifyToken is { } reference)
        {
            token = work.Resolve(reference, $"{route.Place}.handshake.verifyToken");
            if (token is null)
            {
                return null;
            }
        }

        if (work.Mode == CompileMode.WithoutSecrets || (kind.NeedsToken && token is null))
        {
            return null;
        }

        var setup = new HandshakeSetup([.. proof.Secrets.Select(static s => new HandshakeSecret(s.Id, s.Value.ToArray()))], token,
            work.File.Edge?.PublicUrl is { } url ? url.TrimEnd('/') + route.LiteralPath : null);
        return HandshakeCompiler.Compile(kind, setup, proof.SignsBody, route.Methods.Contains("GET"), route.Written.Handshake is not null, work.Problems,
            $"{route.Place}.handshake");
    }
}

/// <summary>What the checks of a route are known by to the rest of it.</summary>
internal sealed record CompiledProof
{
    public HashSet<string> CredentialHeaders { get; } = [];

    public List<Secret> Secrets { get; } = [];

    public bool SignsId { get; set; }

    public bool SignsBody { get; set; }
}
