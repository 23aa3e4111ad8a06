using Microsoft.AspNetCore.Http;
using WebhookEdge.Forwarding;
using WebhookEdge.Primitives;

namespace WebhookEdge.UnitTests.Forwarding;

public class DestinationUrisTests
{
    [Fact]
    public void Makes_the_address_of_a_destination_and_path_once()
    {
        var uris = new DestinationUris();
        const string Prefix = "http://app:8080/";

        var first = uris.For(Prefix, "/hooks/a", QueryString.Empty);

        Assert.Equal("http://app:8080/hooks/a", first.AbsoluteUri);
        Assert.Same(first, uris.For(Prefix, "/hooks/a", QueryString.Empty));
        Assert.Equal("/hooks/b", uris.For(Prefix, "/hooks/b", QueryString.Empty).AbsolutePath);
        Assert.Equal("other", uris.For("http://other:8080/", "/hooks/a", QueryString.Empty).Host);
    }

    [Fact]
    public void A_query_goes_along_as_it_was_received()
    {
        var uris = new DestinationUris();

        Assert.Equal("/hooks/a?x=%2e%2E&y=a+b", uris.For("http://app/", "/hooks/a", new QueryString("?x=%2e%2E&y=a+b")).PathAndQuery);
        Assert.Equal("/hooks/a", uris.For("http://app/", "/hooks/a", QueryString.Empty).PathAndQuery);
    }

    [Theory]
    [InlineData("?name=Jörg")]
    [InlineData("?a b")]
    [InlineData("?a\r\nX-Webhook-Trust: verified")]
    [InlineData("?\0")]
    [InlineData("?\u007f")]
    [InlineData("?\u20ac")]
    public void Nothing_but_visible_ASCII_becomes_a_request_line(string query)
    {
        var uris = new DestinationUris();

        Assert.Throws<InvalidOperationException>(() => uris.For("http://app/", "/hooks/a", new QueryString(query)));
        Assert.Throws<InvalidOperationException>(() => uris.For($"http://app/{query}", "/hooks/a", QueryString.Empty));

        // A path is encoded on its way out, whatever it holds.
        Assert.DoesNotContain(uris.For("http://app/", new PathString("/" + query), QueryString.Empty).PathAndQuery, static c => c is < '!' or > '~');
    }

    [Fact]
    public void More_destinations_than_are_remembered_are_still_right()
    {
        var uris = new DestinationUris();

        for (var round = 0; round < 3; round++)
        {
            for (var i = 0; i < 100; i++)
            {
                Assert.Equal($"http://app/hooks/{i}", uris.For("http://app/", $"/hooks/{i}", QueryString.Empty).AbsoluteUri);
            }
        }
    }

    [Fact]
    public void Addresses_that_share_a_slot_keep_their_own_text()
    {
        for (var round = 0; round < 2; round++)
        {
            for (uint i = 0; i < 5000; i++)
            {
                var address = ClientAddress.FromIPv4(0x0A00_0000 + i);
                Assert.Equal(address.ToString(), ClientAddressText.Of(address));
            }
        }

        Assert.Equal("2001:db8::7", ClientAddressText.Of(ClientAddress.From(System.Net.IPAddress.Parse("2001:db8::7"))));
    }
}
