namespace WebhookEdge.Primitives;

/// <summary>
/// One entry of a route's <c>hosts</c>: a name, or every name below one, with or without a port. Names are ASCII, compared letter by letter but for case.
/// </summary>
internal sealed record HostRule
{
    private readonly string _name;
    private readonly bool _below;
    private readonly int? _port;

    private HostRule(string name, bool below, int? port)
    {
        _name = name;
        _below = below;
        _port = port;

        // As routing has it: the exact name before the wildcard, with a port before without; then the longer name.
        Rank = ((_below ? 1 : 3) + (port is null ? 0 : 1)) * 1000 + name.Length;
    }

    /// <summary>The higher, the more exactly the rule says which host it means; always more than 0, which is for a route of any host.</summary>
    public int Rank { get; }

    /// <param name="written"><c>name</c> or <c>*.name</c>, with <c>:port</c> or without; in ASCII.</param>
    public static HostRule Parse(string written)
    {
        var name = HostText.Split(written, out var port);
        var below = name.StartsWith("*.", StringComparison.Ordinal);

        // Of a wildcard the dot is kept, so that *.example.com is not met by badexample.com.
        return new((below ? name[1..] : name).ToString(), below, port);
    }

    /// <param name="name">As sent, without the port.</param>
    /// <param name="port">As sent, or the scheme's.</param>
    public bool Matches(ReadOnlySpan<char> name, int port) =>
        (_port is null || _port == port)
        && (_below
            ? name.Length > _name.Length && name.EndsWith(_name, StringComparison.OrdinalIgnoreCase) && name[0] != '.'
            && !name.Contains("..", StringComparison.Ordinal)
            : name.Equals(_name, StringComparison.OrdinalIgnoreCase));
}
