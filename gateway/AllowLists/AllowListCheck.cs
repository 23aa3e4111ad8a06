using System.Collections.Immutable;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;
using WebhookEdge.Verdicts;

namespace WebhookEdge.AllowLists;

/// <summary>
/// Is the client one of those the route takes requests from? Fails closed: an address nobody knows is refused, and while a list that might hold the
/// address was never loaded, the sender is told to come back.
/// </summary>
internal sealed class AllowListCheck(CidrSet literal, ImmutableArray<AddressList> lists) : IGateCheck
{
    /// <summary>A list that was never loaded is retried within seconds.</summary>
    private static readonly TimeSpan ComeBack = TimeSpan.FromSeconds(5);

    /// <summary>Addresses written in the configuration.</summary>
    public CidrSet Literal => literal;

    /// <summary>Published lists that are asked as well.</summary>
    public ImmutableArray<AddressList> Lists => lists;

    public Stage Stage => Stage.Address;

    public ValueTask<Verdict> CheckAsync(Delivery delivery, CancellationToken cancellationToken) => new(Check(delivery));

    private Verdict Check(Delivery delivery)
    {
        var client = delivery.Client;
        if (!client.IsKnown)
        {
            return Verdict.Reject(RejectReason.AddressUnknown, "no trustworthy client address");
        }

        var unloaded = false;
        var allowed = literal.Contains(client);
        for (var i = 0; i < lists.Length && !allowed; i++)
        {
            var set = lists[i].Current;
            unloaded |= set is null;
            allowed = set is not null && set.Contains(client);
        }

        if (allowed)
        {
            delivery.RaiseTrust(TrustLevel.AddressOnly);
            return Verdict.Pass;
        }

        // A sender may have moved to an address published a moment ago: its retry should find it.
        foreach (var list in lists)
        {
            list.RequestRefresh();
        }

        return unloaded
            ? Verdict.Reject(RejectReason.AllowListUnavailable, "an address list was never loaded", ComeBack)
            : Verdict.Reject(RejectReason.AddressNotAllowed, "in none of the route's addresses and lists");
    }
}
