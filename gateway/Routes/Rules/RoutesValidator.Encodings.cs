using WebhookEdge.Configuration;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;

namespace WebhookEdge.Routes.Rules;

internal sealed partial class RoutesValidator
{
    /// <summary>Kinds of schemes that look for what they need inside the body, and find nothing in one they cannot read.</summary>
    private static readonly string[] ReadTheBody = ["adyen-items", "aws-sns", "braintree", "mailgun", "mandrill"];

    private void Encodings(string path, RouteSpec route, PresetSpec? preset, List<SchemeSpec>? schemes)
    {
        var place = $"{path}.encodings";
        if (route.Encodings is not { } encodings || !NotEmpty(place, encodings, "leave the key out; an encoded body is refused then"))
        {
            return;
        }

        for (var i = 0; i < encodings.Count; i++)
        {
            if (encodings[i] == "identity")
            {
                Error(JsonPath.Item(place, i), "identity is no coding: a body without one always passes", "remove it");
            }
            else if (!KnownNames.ContentCodings.Contains(encodings[i]))
            {
                Error(JsonPath.Item(place, i), $"unknown coding {Quoted.Name(encodings[i])}", NearestName.Hint(encodings[i], KnownNames.ContentCodings));
            }
        }

        Repeats(place, encodings);
        if (schemes?.Exists(ReadsTheBody) == true)
        {
            Warn(place, "a scheme of this route reads what it needs out of the body, which is never decoded: an encoded one is refused all the same", "leave encodings out, or switch compression off at the sender");
        }
        else if (route.Freshness is not null)
        {
            Warn(place, "freshness reads a time out of the body, which is never decoded: an encoded one is refused all the same", "leave one of the two out");
        }
        else if (ResolvedReplay.Of(route.Replay, preset) is { IsOff: false, Key: { } key } && key.Any(Grammar.IsJsonSource))
        {
            Warn(place, "the replay key reads the body, which is never decoded: the whole of an encoded one stands in for json:/…", "write a key of \"body\", or of \"id\" or a header that is signed");
        }
    }

    private static bool ReadsTheBody(SchemeSpec scheme) =>
        ReadTheBody.Contains(scheme.Kind)
        || scheme.Id?.StartsWith("json:", StringComparison.Ordinal) == true
        || scheme.Timestamp?.From?.StartsWith("json:", StringComparison.Ordinal) == true;
}
