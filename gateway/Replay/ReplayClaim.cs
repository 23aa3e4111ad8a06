using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Replay;

/// <summary>A held key. Pooled: it goes back when it is settled, so it is settled once and not touched again.</summary>
internal sealed class ReplayClaim(ReplayGuard guard) : IDeliveryClaim
{
    private EventKey _key;
    private ulong _owner;
    private ReplayRules? _rules;
    private ResilientReplayStore? _link;

    public void Open(in EventKey key, ulong owner, ReplayRules rules, ResilientReplayStore? link)
    {
        _key = key;
        _owner = owner;
        _link = link;
        _rules = rules;
    }

    public ValueTask SettleAsync(ForwardOutcome outcome)
    {
        // Taking the rules is what makes a second call do nothing.
        if (Interlocked.Exchange(ref _rules, null) is not { } rules)
        {
            return default;
        }

        var (key, owner, link) = (_key, _owner, _link);
        _link = null;
        guard.Return(this);
        return guard.SettleAsync(key, owner, rules, link, outcome);
    }
}
