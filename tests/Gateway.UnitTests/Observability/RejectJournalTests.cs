using Microsoft.Extensions.Primitives;
using WebhookEdge.Observability;
using WebhookEdge.Verdicts;

namespace WebhookEdge.UnitTests.Observability;

public sealed class RejectJournalTests
{
    [Fact]
    public void The_newest_come_first_and_the_oldest_go()
    {
        var journal = new RejectJournal(capacity: 4);
        for (var i = 0; i < 6; i++)
        {
            journal.Add(Entry(RejectReason.SignatureMissing));
        }

        Assert.Equal([6, 5, 4, 3], journal.Newest().Select(static e => e.Number));
        Assert.Equal([6, 5], journal.Newest(2).Select(static e => e.Number));
        Assert.Null(journal.Find(2));
        Assert.Equal(6, journal.LastNumber);
    }

    [Fact]
    public void A_flood_from_strangers_does_not_push_out_the_rest()
    {
        var journal = new RejectJournal(capacity: 8);
        journal.Add(Entry(RejectReason.SignatureMismatch));
        for (var i = 0; i < 1000; i++)
        {
            journal.Add(Entry(i % 2 == 0 ? RejectReason.RouteUnknown : RejectReason.TooManyFromAddress));
        }

        Assert.Equal([1001, 1000, 1], journal.Newest().Select(static e => e.Number));
        Assert.Equal(RejectReason.SignatureMismatch, journal.Find(1)!.Value.Entry.Reason);
    }

    [Fact]
    public void Names_of_headers_are_kept_with_their_entry_and_bounded()
    {
        var journal = new RejectJournal(capacity: 2);
        var headers = Enumerable.Range(0, 40).Select(static i => new KeyValuePair<string, StringValues>("H" + i, "value")).ToArray();
        journal.Add(Entry(RejectReason.SignatureMissing), headers);
        journal.Add(Entry(RejectReason.SignatureMissing), headers.AsSpan(0, 1));
        journal.Add(Entry(RejectReason.SignatureMissing));

        Assert.Null(journal.Find(1));
        Assert.Null(journal.Find(0));
        Assert.Equal(["H0"], journal.Find(2)!.Value.Headers);
        Assert.Empty(journal.Find(3)!.Value.Headers);
        journal.Add(Entry(RejectReason.SignatureMissing), headers);
        Assert.Equal(RejectJournal.HeadersKept, journal.Find(4)!.Value.Headers.Length);
    }

    [Fact]
    public void Writing_allocates_nothing()
    {
        var journal = new RejectJournal();
        KeyValuePair<string, StringValues>[] headers = [new("Host", "a"), new("X-Sig", "b")];
        journal.Add(Entry(RejectReason.SignatureMissing), headers);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            journal.Add(Entry(RejectReason.SignatureMissing), headers);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static JournalEntry Entry(RejectReason reason) => new(default, "hook", reason, null, 401, default, "POST", "/hook", 0, "id", null, false);
}
