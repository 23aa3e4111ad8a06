using System.Collections.Immutable;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>Which published list a rule asks for. Well formed, and nothing is fetched for it yet: <see cref="AddressListPool.Get"/> does that.</summary>
internal sealed record AddressListNeed
{
    private AddressListNeed(RangeFormat format, string url, TimeSpan refresh, TimeSpan alarmAfter, AddressQuery query)
    {
        if (!RangeSource.TryParse(url, out var source, out var fault) || source is null)
        {
            throw new ArgumentException(fault, nameof(url));
        }

        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(refresh, TimeSpan.Zero);
        (Format, Url, Source, Refresh, AlarmAfter, Query) = (format, url, source, refresh, alarmAfter, query);
    }

    public RangeFormat Format { get; }

    public string Url { get; }

    public RangeSource Source { get; }

    /// <summary>Time between two checks of the source.</summary>
    public TimeSpan Refresh { get; }

    /// <summary>Age at which operators are told.</summary>
    public TimeSpan AlarmAfter { get; }

    public AddressQuery Query { get; }

    /// <summary>For people, logs and metrics: <c>aws:us-east-1:EC2</c>, <c>json:https://api.github.com/meta#/hooks</c>.</summary>
    public string Name => Format.NameOf(Source, Query);

    /// <summary>Networks of AWS in these regions that these services use; no services = <c>AMAZON</c>, which covers all.</summary>
    /// <exception cref="ArgumentException">The URL is none a list may come from (<see cref="RangeSource.TryParse"/>), or there is no region.</exception>
    public static AddressListNeed Aws(string url, TimeSpan refresh, TimeSpan alarmAfter, IReadOnlyList<string> regions, IReadOnlyList<string> services) =>
        regions.Count == 0
        ? throw new ArgumentException("a list of AWS networks needs a region", nameof(regions))
        : new(RangeFormat.Aws, url, refresh, alarmAfter,
            new(Normalised(regions), services.Count == 0 ? AwsIpRanges.DefaultServices : Normalised(services), null));

    /// <summary>The addresses to which <paramref name="pointer"/> leads in a JSON document (<see cref="JsonListPointer"/>).</summary>
    /// <exception cref="ArgumentException">URL or pointer is not well formed.</exception>
    public static AddressListNeed Json(string url, string pointer, TimeSpan refresh, TimeSpan? alarmAfter = null) =>
        JsonListPointer.TryParse(pointer, out var parsed, out var fault)
        ? new(RangeFormat.Json, url, refresh, alarmAfter ?? TimeSpan.FromDays(7), new([], [], parsed))
        : throw new ArgumentException(fault, nameof(pointer));

    private static ImmutableArray<string> Normalised(IReadOnlyList<string> names) => [.. names.Distinct().Order(StringComparer.Ordinal)];
}
