using System.Net.Http.Headers;
using WebhookEdge.Gate;

namespace WebhookEdge.Forwarding;

/// <summary>
/// The outgoing half of one delivery, between YARP and the HTTP client: when the transforms are done, it puts the verified body into the message. YARP itself
/// knows of no body (<see cref="ForwardPermit"/> says there is none), so it neither reads the sender's nor makes content of its own.
/// Kept with the pooled delivery; each attempt begins anew with <see cref="Over"/>.
/// </summary>
internal sealed class OutgoingRequest : HttpMessageInvoker
{
    private static readonly HttpMessageHandler Nobody = new NoHandler();

    private HttpMessageInvoker? _client;
    private DeliveryContent? _content;

    private OutgoingRequest(Delivery delivery)
        : base(Nobody, disposeHandler: false) => Delivery = delivery;

    public Delivery Delivery { get; }

    /// <summary>The sender's own Idempotency-Key; null without one.</summary>
    public string? SenderIdempotencyKey { get; set; }

    /// <summary>That of the delivery the gate has admitted; null for a request it has not.</summary>
    public static OutgoingRequest? Of(HttpContext context)
    {
        if (ForwardPermit.Of(context.Features) is not { } delivery)
        {
            return null;
        }

        // What the last attempt left is of no use to the next, and the delivery keeps the object for the deliveries after it.
        return delivery.ForwardScratch as OutgoingRequest ?? (OutgoingRequest)(delivery.ForwardScratch = new OutgoingRequest(delivery));
    }

    /// <summary>Begins an attempt over <paramref name="client"/>.</summary>
    public OutgoingRequest Over(HttpMessageInvoker client)
    {
        _client = client;
        _content = null;
        SenderIdempotencyKey = null;
        return this;
    }

    /// <summary>Where the sender's headers about the body go (RFC 9110 §8): those that are no headers of a request to the HTTP client.</summary>
    public HttpContentHeaders ContentHeaders => (_content ??= new(Delivery)).Headers;

    public override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var client = _client ?? throw new InvalidOperationException("no attempt has begun");
        var content = _content ?? new DeliveryContent(Delivery);
        (_client, _content) = (null, null);

        // Left by transforms that set or keep headers about the body.
        if (request.Content is { } headersOnly)
        {
            foreach (var (name, values) in headersOnly.Headers.NonValidated)
            {
                // The length is that of the body, whoever lists the header.
                if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                {
                    content.Headers.TryAddWithoutValidation(name, values);
                }
            }
        }

        request.Content = content;
        return client.SendAsync(request, cancellationToken);
    }

    private sealed class NoHandler : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();
    }
}
