using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Routes.Rules;

/// <summary>What tells a route's events apart, how old they may be, and what cannot be read in an encoded body.</summary>
internal sealed class EventRules(RuleReport report)
{
    private readonly List<(string Place, string Id)> _routesByBodyAlone = [];

    /// <summary>Kinds of schemes that look for what they need inside the body, and find nothing in one they cannot read.</summary>
    private static readonly string[] ReadTheBody = ["adyen-items", "aws-sns", "braintree", "mailgun", "mandrill"];

    public void Replay(ResolvedRoute route)
    {
        var place = $"{route.Place}.replay";
        if (route.Written.Replay is { Options: null, Word: var word })
        {
            if (word != "off")
            {
                report.Error(place, $"unknown word {Quoted.Name(word ?? "")}", "write \"off\", or an object");
            }
            else if (route.Schemes is { Count: > 0 } && !route.Schemes.Any(SchemeFacts.SignsTime))
            {
                report.Warn(place, "this sender signs no time, so with replay off a captured request stays valid for ever");
            }

            return;
        }

        var written = route.Written.Replay?.Options;
        if (report.NotEmpty($"{place}.key", written?.Key, "leave the key out for the provider's, else the signed id, else the body"))
        {
            for (var i = 0; i < written?.Key?.Count; i++)
            {
                KeyPart(JsonPath.Item($"{place}.key", i), written.Key[i], route.Schemes);
            }

            report.Repeats($"{place}.key", written?.Key);
        }

        var replay = route.Replay;
        BodyAlone(place, route, replay);
        if (replay.IsOffByPreset)
        {
            if (route.Written.Replay is not null)
            {
                report.Warn(place, $"has no effect: nothing tells the events of {Quoted.Name(route.Preset!.Name)} apart, so its preset has replay off",
                    "name a key of your own with it, or leave it out");
            }

            return;
        }

        // The provider's key was made for the provider's scheme; verify may have put another in its place.
        if (written?.Key is null && replay.Key is { } inherited && inherited.Contains("id")
            && route.Schemes is { } schemes && !schemes.Any(SchemeFacts.SignsId))
        {
            report.Error(place, $"the replay key of {Quoted.Name(route.Preset!.Name)} is a signed id, and no check of this route signs one",
                "write \"key\": [\"body\"]");
        }
    }

    /// <summary>
    /// A key of the body alone makes one event of all that have the same bytes, which some senders mean to repeat. Nobody is told who has said that it is
    /// right: the route by writing it, or the sender's preset.
    /// </summary>
    private void BodyAlone(string place, ResolvedRoute route, ResolvedReplay replay)
    {
        if (replay.IsOff || replay.IsVouchedFor || replay.Observes || route.Observes || route.Schemes is null
            || replay.KeyOf(route.Schemes.Any(SchemeFacts.SignsId)) is not ["body"])
        {
            return;
        }

        if (replay.Key is null)
        {
            _routesByBodyAlone.Add((place, route.Id));
        }
        else if (route.Preset?.Replay is { } known && route.Schemes.Contains(route.Preset.Scheme))
        {
            report.Warn(
                $"{place}.key",
                $"{route.Preset.Title} sends different events with the same body, and all but the first would be lost",
                known.Options?.Key is { } key ? $"leave it out for the preset's own key, {string.Join(" + ", key)}"
                : "leave it out: its preset has replay off");
        }
    }

    /// <summary>Said once, however many routes it is about.</summary>
    public void RoutesByBodyAlone()
    {
        const int Named = 10;
        if (_routesByBodyAlone is [var (first, _), ..])
        {
            var names = string.Join(", ", _routesByBodyAlone.Take(Named).Select(static r => Quoted.Name(r.Id)))
                + (_routesByBodyAlone.Count > Named ? $" and {_routesByBodyAlone.Count - Named} more" : "");
            report.Warn(
                first,
                $"events with the same body count as one event on {names}: a sender that repeats itself on purpose, as some monitors and devices do, loses "
                + "all but the first",
                "write \"replay\": { \"key\": [\"body\"] } if that is right, name what else tells events apart (header:NAME, json:/pointer, id), or write "
                + "\"replay\": \"off\"");
        }
    }

    private void KeyPart(string path, string part, IReadOnlyList<SchemeSpec>? schemes)
    {
        switch (part)
        {
            case "body":
                break;
            case "id":
                if (schemes is not null && !schemes.Any(SchemeFacts.SignsId))
                {
                    report.Error(path, "no scheme of this route signs an id; whoever can change it can repeat a delivery, or hide one",
                        "write \"body\" or json:/pointer");
                }

                break;
            case var _ when RoutesSyntax.IsHeaderSource(part):
                if (schemes is not null && !schemes.Any(s => SchemeFacts.SignsHeader(s, part["header:".Length..])))
                {
                    report.Warn(path, "the header is not signed: whoever captures a request can repeat it with another value",
                        "add \"body\", or use a signed part");
                }

                break;
            case var _ when RoutesSyntax.IsJsonSource(part):
                break;
            default:
                report.Error(path, $"unknown part {Quoted.Name(part)}", "write body, id, json:/pointer or header:NAME");
                break;
        }
    }

    public void Freshness(ResolvedRoute route)
    {
        if (route.Written.Freshness is not { } freshness)
        {
            return;
        }

        if (freshness.At is null || !RoutesSyntax.IsJsonSource(freshness.At))
        {
            report.Error($"{route.Place}.freshness.at", freshness.At is null ? "no place to read the time from" : "not a place in the body",
                "write json:/pointer, e.g. \"json:/created_at\"");
        }

        if (freshness.Within is null)
        {
            report.Error($"{route.Place}.freshness.within", "no largest age", "write for example \"24h\"");
        }

        if (route.Schemes is not null && !route.Schemes.Any(SchemeFacts.SignsBody))
        {
            report.Warn($"{route.Place}.freshness", "no check of this route signs the body, so the time in it is anybody's word");
        }
    }

    public void Encodings(ResolvedRoute route)
    {
        var place = $"{route.Place}.encodings";
        if (route.Written.Encodings is not { } encodings || !report.NotEmpty(place, encodings, "leave the key out; an encoded body is refused then"))
        {
            return;
        }

        for (var i = 0; i < encodings.Count; i++)
        {
            if (encodings[i] == "identity")
            {
                report.Error(JsonPath.Item(place, i), "identity is no coding: a body without one always passes", "remove it");
            }
            else if (!KnownNames.ContentCodings.Contains(encodings[i]))
            {
                report.Error(JsonPath.Item(place, i), $"unknown coding {Quoted.Name(encodings[i])}", NearestName.Hint(encodings[i], KnownNames.ContentCodings));
            }
        }

        report.Repeats(place, encodings);
        if (route.Schemes?.Any(ReadsTheBody) == true)
        {
            report.Warn(place, "a scheme of this route reads what it needs out of the body, which is never decoded: an encoded one is refused all the same",
                "leave encodings out, or switch compression off at the sender");
        }
        else if (route.Written.Freshness is not null)
        {
            report.Warn(place, "freshness reads a time out of the body, which is never decoded: an encoded one is refused all the same",
                "leave one of the two out");
        }
        else if (route.Replay is { IsOff: false, Key: { } key } && key.Any(RoutesSyntax.IsJsonSource))
        {
            report.Warn(place, "the replay key reads the body, which is never decoded: the whole of an encoded one stands in for json:/…",
                "write a key of \"body\", or of \"id\" or a header that is signed");
        }
    }

    private static bool ReadsTheBody(SchemeSpec scheme) =>
        ReadTheBody.Contains(scheme.Kind)
        || scheme.Id?.StartsWith("json:", StringComparison.Ordinal) == true
        || scheme.Timestamp?.From?.StartsWith("json:", StringComparison.Ordinal) == true;
}
