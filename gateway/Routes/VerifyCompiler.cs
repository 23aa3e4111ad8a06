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
    public CompiledProof CompileVerify(Compilation work, string place, RouteSpec route, PresetSpec? preset, string path, Action<IGateCheck, bool> add)
    {
        var proof = new CompiledProof();
        var entries = route.Verify?.Select((v, i) => (Place: $"{place}.verify[{i}]", v.Scheme, v.Secrets, v.Mode))
            ?? (route.Secrets is null ? [] : [(Place: place, Scheme: new SchemeRef(route.Provider, null), route.Secrets, Mode: (CheckMode?)null)]);
        var context = new SchemeContext(work.File.Edge?.PublicUrl, path, time, keys);
        foreach (var entry in entries)
        {
            if (SchemeNames.Resolve(work.File, entry.Scheme) is not { } spec)
            {
                continue;
            }

            var secrets = new List<Secret>();
            for (var i = 0; i < (entry.Secrets?.Count ?? 0); i++)
            {
                var reference = entry.Secrets![i];
                if (work.Resolve(reference, $"{entry.Place}.secrets[{i}]") is { } value)
                {
                    secrets.Add(new(reference, value));
                    proof.Secrets.Add(secrets[^1]);
                }
            }

            var schemePlace = entry.Scheme?.Inline is not null ? $"{entry.Place}.scheme" : entry.Scheme?.Name is { } own
                && work.File.Schemes?.ContainsKey(own) == true ? $"schemes.{own}" : entry.Place;
            if (work.Mode == CompileMode.WithoutSecrets || (secrets.Count == 0 && entry.Secrets?.Count > 0))
            {
                // No secret to be had here: whatever the reason, it was said; the scheme itself can still be judged.
                work.Problems.AddRange(SchemeCompiler.Validate(spec, context, schemePlace));
                continue;
            }

            if (SchemeCompiler.Compile(spec, secrets, context, work.Problems, schemePlace, $"{entry.Place}.secrets") is { } compiled)
            {
                foreach (var check in compiled.Checks)
                {
                    add(check, entry.Mode == CheckMode.Observe);
                }

                proof.CredentialHeaders.UnionWith(compiled.CredentialHeaders);
                proof.SignsId |= compiled.SignsId;
                proof.SignsBody |= compiled.SignsBody && entry.Mode != CheckMode.Observe;
            }
        }

        return proof;
    }

    /// <summary>Never shadowed: an answer is given to what a challenge proves, or not at all.</summary>
    public static HandshakeCheck? CompileHandshake(Compilation work, string place, RouteSpec route, PresetSpec? preset, string path, CompiledProof proof)
    {
        if (HandshakeCompiler.KindOf(route.Handshake, preset?.Handshake) is not { } kind)
        {
            return null;
        }

        byte[]? token = null;
        if (route.Handshake?.VerifyToken is { } reference)
        {
            token = work.Resolve(reference, $"{place}.handshake.verifyToken");
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
            work.File.Edge?.PublicUrl is { } url ? url.TrimEnd('/') + path : null);
        return HandshakeCompiler.Compile(kind, setup, proof.SignsBody, (route.Methods ?? []).Contains("GET"), route.Handshake is not null, work.Problems,
            $"{place}.handshake");
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
