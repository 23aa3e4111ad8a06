using System.Collections.Immutable;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication;

/// <summary>Reads the parts that a scheme is made of, one by one, so that each fault is reported and none hides another.</summary>
internal sealed class SchemeParts(SchemeSpec spec, SchemeContext context, SchemeFaults faults)
{
    public ImmutableArray<string> ReadHeaders(out bool numbered)
    {
        numbered = false;
        var names = spec.Header?.Values ?? [];
        if (names.Count == 0)
        {
            faults.Fault("header", "missing", "name the header that carries the signature or the token");
            return [];
        }

        if (names.Count > 8)
        {
            faults.Fault("header", "more than 8 headers", "a sender that numbers them is written once, as X-Signature-{n}");
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
                faults.Fault("header", $"\"{name}\" is not a header name", "letters, digits and hyphens; {n} only at the end of a single name");
            }
            else if (result.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                faults.Fault("header", $"\"{name}\" stands there twice", "remove one");
            }
            else
            {
                result.Add(name);
            }
        }

        return result.DrainToImmutable();
    }

    public ImmutableArray<RequiredHeader> ReadRequired()
    {
        var result = ImmutableArray.CreateBuilder<RequiredHeader>();
        foreach (var (name, value) in spec.Require ?? [])
        {
            if (!StrictText.IsHeaderName(name) || string.IsNullOrEmpty(value))
            {
                faults.Fault("require", $"\"{name}\" is not a header name, or its value is empty", "write \"Header-Name\": \"the exact value\"");
                continue;
            }

            result.Add(new(name, value));
        }

        return result.DrainToImmutable();
    }

    public EntryGrammar? ReadEntries(string? timeEntry)
    {
        if (spec.Entries is not { } entries)
        {
            if (timeEntry is not null)
            {
                faults.Fault("timestamp.from", $"\"entry:{timeEntry}\" without entries",
                    "describe the list: \"entries\": { \"separator\": \",\", \"keySeparator\": \"=\", \"key\": \"v1\" }");
            }

            return null;
        }

        if (string.IsNullOrEmpty(entries.Separator))
        {
            faults.Fault("entries.separator", "missing", "write what stands between entries, e.g. \",\"");
        }

        if (entries.KeySeparator is { Length: 0 } || entries.Group is { Length: 0 } || entries.Key is { Length: 0 })
        {
            faults.Fault("entries", "an empty text among separator, keySeparator, key and group", "leave out what the sender does not have");
        }

        if (entries.Key is null && (timeEntry is not null || entries.KeySeparator is not null))
        {
            faults.Fault("entries.key", "missing", "name the key of a signature entry, e.g. \"v1\"; without keySeparator every entry is a signature");
        }

        if (entries.Key is not null && entries.Key == timeEntry)
        {
            faults.Fault("entries.key", $"\"{timeEntry}\" is the timestamp's key too", "one entry cannot be both");
        }

        var keySeparator = entries.KeySeparator ?? "=";
        if (entries.Separator == keySeparator)
        {
            faults.Fault("entries.keySeparator", "the same as separator", "a list needs two different ones");
        }

        return new(entries.Separator ?? ",", entries.Group, keySeparator, entries.Key, timeEntry);
    }

    public TimeRule? ReadTime(SigningTemplate? template, out string? entry)
    {
        entry = null;
        if (spec.Timestamp is not { } written)
        {
            return null;
        }

        var unit = written.Unit ?? TimeUnit.Seconds;
        if (written.ToleranceSeconds is < 0)
        {
            faults.Fault("timestamp.toleranceSeconds", "negative", "write seconds, e.g. 300; 0 = no age check");
        }
        else if (written.ToleranceSeconds is > 86_400)
        {
            faults.Warn("timestamp.toleranceSeconds", "longer than a day", "a captured request stays good that long; most senders need 300");
        }
        else if (written.ToleranceSeconds is 0 && template is not null)
        {
            faults.Warn("timestamp.toleranceSeconds", "0 means that a captured request stays good for ever", "write how far a time may be from now, e.g. 300");
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
                faults.Fault("timestamp.from", written.From is null ? "missing" : $"\"{written.From}\" is not a place",
                    "write \"entry:t\", \"header:X-Timestamp\" or \"json:/sent_at\"");
                return null;
        }
    }

    public IdRule? ReadId(SigningTemplate? template)
    {
        var signs = template?.Has(PartKind.Id) == true;
        if (spec.Id is null)
        {
            if (signs)
            {
                faults.Fault("signed", "{id} without an id", "say where it stands: \"id\": \"header:webhook-id\"");
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
                    faults.Fault("signed", "{id} stands in the body, which is signed already", "sign {body} alone, or name the header the id stands in");
                }

                if (template?.Has(PartKind.Body) == false)
                {
                    faults.Fault("id", "the id stands in a body that is not signed", "remove it, or sign {body}");
                }

                return new(null, pointer, true);
            default:
                faults.Fault("id", $"\"{spec.Id}\" is not a place", "write \"header:webhook-id\" or \"json:/id\"");
                return null;
        }
    }

    public UrlRule? ReadUrl()
    {
        if (context.PublicUrl is null)
        {
            faults.Fault("signed", "{url} needs the URL the sender knows", "write edge.publicUrl, e.g. \"https://hooks.example.com\"");
            return null;
        }

        if (!Uri.TryCreate(context.PublicUrl, UriKind.Absolute, out var uri) || (uri.Scheme != "https" && uri.Scheme != "http")
            || context.PublicUrl.AsSpan().ContainsAny("?#") || !StrictText.IsPlain(context.PublicUrl))
        {
            faults.Fault("signed", "{url} needs an http or https URL without query in edge.publicUrl",
                "write it as the sender has it, e.g. \"https://hooks.example.com\"");
            return null;
        }

        // Exactly as written: no port added, no case changed, since the sender signs the text it was given.
        var front = context.PublicUrl.TrimEnd('/');
        var isPrefix = context.RoutePath.EndsWith('/') || context.RoutePath.EndsWith("/{**rest}", StringComparison.Ordinal);
        return new(Encoding.UTF8.GetBytes(isPrefix ? front : front + context.RoutePath), isPrefix);
    }

    public KeyRule ReadKey() => new(
        Encoding.UTF8.GetBytes(spec.Key?.Strip ?? ""),
        spec.Key?.Encoding ?? KeyEncoding.Utf8,
        spec.Key?.Derive ?? KeyDerivation.None);

    private static (string Kind, string Name) Place(string? text)
    {
        var colon = text?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        return colon < 0 ? ("", "") : (text![..colon], text[(colon + 1)..]);
    }
}
