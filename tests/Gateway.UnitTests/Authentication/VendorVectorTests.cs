using System.Text;
using WebhookEdge.Primitives;
using WebhookEdge.Providers;
using static WebhookEdge.UnitTests.Authentication.VerdictAssert;

namespace WebhookEdge.UnitTests.Authentication;

/// <summary>Requests as the vendors make them, published or computed elsewhere: they verify here, and nothing near them does.</summary>
public sealed class VendorVectorTests
{
    /// <summary>Published examples there were when this was last raised: a corpus that vanished passes every test.</summary>
    private const int Published = 14;

    public static TheoryData<string> Names() => [.. VendorVector.OfData()];

    [Fact]
    public void Every_published_vector_is_there() => Assert.True(VendorVector.All.Count(name => VendorVector.Load(name).Origin == "published") >= Published);

    [Fact]
    public void Every_preset_has_a_vector_and_every_vector_a_preset()
    {
        Assert.Empty(Presets.All.Keys.Except(VendorVector.All));
        Assert.DoesNotContain(VendorVector.All, name => VendorVector.PresetOf(name) is null);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vendors_own_example_verifies(string name)
    {
        var vector = VendorVector.Load(name);

        var verdict = vector.Decide(name);

        Assert.Contains(vector.Origin, new[] { "published", "computed" });
        Assert.True(verdict.Passed == vector.Valid, verdict.Detail);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_the_vector_says_is_refused_for_its_reason(string name)
    {
        var vector = VendorVector.Load(name);

        Assert.NotEmpty(vector.Reject);
        Assert.All(vector.Reject, reject => Refused(reject.Reason, vector.Decide(name, reject)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_changed_byte_of_a_signed_body_is_refused(string name)
    {
        var vector = VendorVector.Load(name);
        var body = Encoding.UTF8.GetBytes(vector.Body);
        var signs = vector.SchemeOf(name).Kind is "hmac" or "digest";

        for (var i = 0; i < body.Length; i++)
        {
            body[i] ^= 1;
            Assert.Equal(!signs, vector.Decide(name, body: body).Passed);
            body[i] ^= 1;
        }

        Assert.Equal(!signs, vector.Decide(name, body: [.. body, (byte)' ']).Passed);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_changed_byte_of_the_secret_is_refused(string name)
    {
        var vector = VendorVector.Load(name);
        var strip = vector.SchemeOf(name).Key?.Strip?.Length ?? 0;

        // What is stripped may as well be absent; the rest stays in the alphabet of hex and base64.
        for (var i = strip; i < vector.Secret.Length; i++)
        {
            var other = vector.Secret[i] == 'A' ? 'B' : 'A';

            Assert.False(vector.Decide(name, secret: vector.Secret[..i] + other + vector.Secret[(i + 1)..]).Passed);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_changed_byte_of_signature_timestamp_or_signed_text_is_refused(string name)
    {
        var vector = VendorVector.Load(name);
        var scheme = vector.SchemeOf(name);
        var carriers = (scheme.Header?.Values ?? ["Authorization"]).Select(header => header.Replace("{n}", "1", StringComparison.Ordinal))
            .Where(vector.Headers.ContainsKey).ToList();

        // Where any of several signatures may match, only the one that counts is changed.
        if (carriers.Count > 1)
        {
            var counts = carriers.Single(header =>
                vector.Decide(name, headers: vector.Headers.Where(pair => pair.Key == header || !carriers.Contains(pair.Key))).Passed);
            vector = vector with { Headers = vector.Headers.Where(pair => pair.Key == counts || !carriers.Contains(pair.Key)).ToDictionary() };
            carriers = [counts];
        }

        var signed = vector.Headers.Keys.Where(header =>
            scheme.Timestamp?.From == $"header:{header}"
            || scheme.Signed?.Contains($"{{header:{header}}}", StringComparison.Ordinal) == true
            || (scheme.Id == $"header:{header}" && scheme.Signed?.Contains("{id}", StringComparison.Ordinal) == true));
        Assert.NotEmpty(carriers);
        foreach (var header in carriers.Concat(signed).Concat(scheme.Require?.Keys.AsEnumerable() ?? []))
        {
            var text = vector.Headers[header];
            for (var i = 0; i < text.Length; i++)
            {
                foreach (var other in new[] { (char)(text[i] ^ 1), (char)(text[i] ^ 2), ' ', '\0' })
                {
                    // A space for a comma ends a group of entries instead of an entry: the same list in other words.
                    var same = other == text[i] || (text[i] == ',' && scheme.Entries?.Group == other.ToString());
                    Assert.False(!same && Decide(text[..i] + other + text[(i + 1)..]), $"{header} {i} {other}");
                }

                Assert.False(Decide(text.Remove(i, 1)), $"{header} without {i}");
            }

            bool Decide(string value) =>
                vector.Decide(name, headers: new Dictionary<string, string>(vector.Headers, StringComparer.Ordinal) { [header] = value }).Passed;
        }
    }
}
