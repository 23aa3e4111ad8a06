using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.AllowLists;

/// <summary>
/// Whether a list takes what a new document says for it: it refuses what is empty or unsound, and holds back what has lost more than half of its addresses.
/// </summary>
internal sealed class ListJudge(RangeSource source, TimeProvider time, ILogger logger)
{
    /// <summary>Time between two checks of a source that works; also the least time until a much smaller list is believed.</summary>
    public TimeSpan Refresh { get; set; }

    /// <summary>Age of a list at which operators are told.</summary>
    public TimeSpan AlarmAfter { get; set; }

    public RefreshOutcome Offer(IRangeDocument document, AddressList list, DateTimeOffset now)
    {
        var sound = TryCut(document, list, out var set, out var cut, out var fault);
        if (sound && set.IsEmpty && list.Current is { IsEmpty: false } lost)
        {
            // An empty list that was never anything else is a publisher's without such addresses; one that had some has lost them.
            sound = false;
            fault = $"{cut.Remark}; the list in force has {lost.PrefixCount} networks, and one that shrinks to nothing is never taken. "
                + "If that is meant, take the list out of the routes, or restart without its copy in edge.stateDirectory";
        }

        if (!sound)
        {
            list.Held = null;
            list.Keep(fault, now);
            logger.AddressListRefused(list.Name, source.Display, fault);
            Alarm(list);
            return RefreshOutcome.Failed;
        }

        if (list.Current is { } current && set.LostMoreThanHalfOf(current) && !IsConfirmed(list, set))
        {
            var held = $"the new list has {set.AddressCountV4} IPv4 and {set.AddressCountV6} IPv6 addresses, the one in force {current.AddressCountV4} and "
                + $"{current.AddressCountV6}; "
                + $"it is taken when a check at least {Refresh} later still says the same";
            list.Keep(held, now);
            logger.AddressListHeldBack(list.Name, held);
            Alarm(list);
            return RefreshOutcome.HeldBack;
        }

        list.Held = null;
        Tell(list, cut);
        if (!list.Take(set, now, now, cut))
        {
            return RefreshOutcome.Unchanged;
        }

        logger.AddressListChanged(list.Name, set.PrefixCount, set.AddressCountV4, source.Display);
        return RefreshOutcome.Changed;
    }

    /// <summary>A much smaller list is believed when it was first seen at least one refresh ago and is still the same; otherwise the wait starts now.</summary>
    private bool IsConfirmed(AddressList list, CidrSet set)
    {
        if (list.Held is { } held && held.Set.SetEquals(set))
        {
            return time.GetElapsedTime(held.Since) >= Refresh;
        }

        list.Held = new HeldList(set, time.GetTimestamp());
        return false;
    }

    public static bool TryCut(IRangeDocument document, AddressList list, out CidrSet set, out RangeCut cut, out string fault)
    {
        var sound = document.TrySelect(list.Query, out cut, out fault);
        set = sound ? CidrSet.Create(cut.Networks) : CidrSet.Empty;
        return sound;
    }

    /// <summary>Says what is odd about a list that is taken all the same; once, not at every refresh.</summary>
    public void Tell(AddressList list, RangeCut cut)
    {
        if (cut.Note == list.Note)
        {
            return;
        }

        if (cut.UnknownNames.Length > 0)
        {
            logger.AddressListNameUnknown(list.Name, cut.UnknownNames);
        }

        if (cut.Remark.Length > 0)
        {
            logger.AddressListRemark(list.Name, cut.Remark);
        }
    }

    public void Alarm(AddressList list)
    {
        if (list.Age is { } age && age > AlarmAfter)
        {
            logger.AddressListStale(list.Name, age, AlarmAfter);
        }
    }
}
