using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Gate;
using WebhookEdge.Verdicts;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace WebhookEdge.Forwarding;

/// <summary>
/// What every route's forwarded request and answer go through, around the transforms that its author configured: first the sender's headers without those
/// that would lie; last our own headers, so that nothing configured or sent can stand in for them.
/// </summary>
internal sealed class ForwardTransforms : ITransformProvider
{
    public void ValidateRoute(TransformRouteValidationContext context)
    {
    }

    public void ValidateCluster(TransformClusterValidationContext context)
    {
    }

    public void Apply(TransformBuilderContext context)
    {
        // A route that lists the headers it wants (RequestHeadersAllowed) has said so by turning the copy off.
        var copyHeaders = context.CopyRequestHeaders is not false;
        var configured = context.RequestTransforms.Count > 0;
        context.CopyRequestHeaders = false;
        context.UseDefaultForwarders = false;
        if (context.RequestTransforms.IndexOf(RequestHeaderOriginalHostTransform.OriginalHost) is >= 0 and var asked)
        {
            // YARP's own would send the decoded name; where there is a Host already it leaves that.
            context.RequestTransforms.Insert(asked, new OriginalHost());
        }

        context.RequestTransforms.Insert(0, new OpenRequest(copyHeaders, configured));
        context.RequestTransforms.Add(new SealRequest(configured));
        context.ResponseTransforms.Insert(0, new OpenAnswer(context.CopyResponseHeaders is not false));
        context.CopyResponseHeaders = false;
    }

    private static OutgoingRequest Admitted(HttpContext context) =>
        OutgoingRequest.Of(context) ?? throw new InvalidOperationException("the request was not admitted by the gate and is not forwarded");

    /// <summary>Copies the sender's headers in one pass.</summary>
    /// <param name="copyHeaders">False when the route lists the headers it wants.</param>
    /// <param name="configured">Transforms of the route's author follow, which look for headers about the body where YARP has them.</param>
    private sealed class OpenRequest(bool copyHeaders, bool configured) : RequestTransform
    {
        public override ValueTask ApplyAsync(RequestTransformContext context)
        {
            if (!copyHeaders)
            {
                return default;
            }

            var outgoing = Admitted(context.HttpContext);
            var headers = context.ProxyRequest.Headers;
            foreach (var (name, values) in outgoing.Delivery.HeaderLines)
            {
                if (ForwardedHeaders.IsDropped(name, outgoing.Delivery))
                {
                    if (ForwardedHeaders.IsIdempotencyKey(name))
                    {
                        outgoing.SenderIdempotencyKey = values.ToString();
                    }
                }
                else if (values.Count == 1 ? headers.TryAddWithoutValidation(name, values[0])
                    : headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                {
                }
                else if (configured)
                {
                    AddHeader(context, name, values);
                }
                else if (values.Count == 1)
                {
                    outgoing.ContentHeaders.TryAddWithoutValidation(name, values[0]);
                }
                else
                {
                    outgoing.ContentHeaders.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
                }
            }

            return default;
        }
    }

    /// <summary>For <c>RequestHeaderOriginalHost</c>: the Host as the sender wrote it.</summary>
    private sealed class OriginalHost : RequestTransform
    {
        public override ValueTask ApplyAsync(RequestTransformContext context)
        {
            var host = Admitted(context.HttpContext).Delivery.Host;
            if (host.Length > 0 && !context.ProxyRequest.Headers.NonValidated.Contains("Host"))
            {
                context.ProxyRequest.Headers.TryAddWithoutValidation("Host", host);
            }

            return default;
        }
    }

    /// <summary>Says what was established about the request.</summary>
    private sealed class SealRequest(bool configured) : RequestTransform
    {
        private readonly DestinationUris _uris = new();

        public override ValueTask ApplyAsync(RequestTransformContext context)
        {
            var http = context.HttpContext;
            var outgoing = Admitted(http);
            var delivery = outgoing.Delivery;
            var headers = context.ProxyRequest.Headers;
            if (configured)
            {
                RemoveReserved(headers, delivery);
            }

            Set(headers, ForwardedHeaders.Route, delivery.Policy.RouteId);
            if (delivery.Policy.Provider is { } provider)
            {
                Set(headers, ForwardedHeaders.Provider, provider);
            }

            Set(headers, ForwardedHeaders.Trust, delivery.WouldRefuse != RejectReason.NotDecided ? "observed" : Word(delivery.Trust));
            if (delivery.Proof is { } proof)
            {
                Set(headers, ForwardedHeaders.KeyId, proof.KeyId);
            }

            if (delivery.EventKeyText is { } key)
            {
                Set(headers, ForwardedHeaders.EventKey, key);
                Set(headers, ForwardedHeaders.IdempotencyKey, key);
            }

            if (outgoing.SenderIdempotencyKey is { } senders)
            {
                Set(headers, ForwardedHeaders.SenderIdempotencyKey, senders);
            }

            if (delivery.ReplayStoreSkipped)
            {
                Set(headers, ForwardedHeaders.ReplayStore, "unavailable");
            }

            Set(headers, ForwardedHeaders.RequestId, http.TraceIdentifier);
            if (delivery.Client.IsKnown)
            {
                Set(headers, "X-Forwarded-For", ClientAddressText.Of(delivery.Client));
            }

            Set(headers, "X-Forwarded-Proto", SendersUrl.Scheme(delivery, http.Request.Scheme));
            if (SendersUrl.Host(delivery) is { Length: > 0 } host)
            {
                Set(headers, "X-Forwarded-Host", host);
            }

            delivery.Trace?.Propagate(headers);
            if (context.ProxyRequest.RequestUri is { } configuredUri)
            {
                OutgoingText.RequireVisible(configuredUri.PathAndQuery);
            }
            else
            {
                context.ProxyRequest.RequestUri = _uris.For(context.DestinationPrefix, context.Path, context.Query.QueryString);
            }

            OutgoingText.RequireSendable(headers);
            return default;
        }

        private void Set(HttpRequestHeaders headers, string name, string value)
        {
            // A configured transform may have set or copied it; what we say about a request is said by us.
            if (configured)
            {
                headers.Remove(name);
            }

            headers.TryAddWithoutValidation(name, value);
        }

        private static void RemoveReserved(HttpRequestHeaders headers, Delivery delivery)
        {
            List<string>? names = null;
            foreach (var header in headers.NonValidated)
            {
                // An empty Host, which a request without one leaves to transforms, would be written beside the destination's.
                if (ForwardedHeaders.IsReserved(header.Key, delivery)
                    || (header.Key.Equals("Host", StringComparison.OrdinalIgnoreCase) && header.Value.ToString().Length == 0))
                {
                    (names ??= []).Add(header.Key);
                }
            }

            foreach (var name in names ?? [])
            {
                headers.Remove(name);
            }
        }

        private static string Word(TrustLevel level) => level switch
        {
            TrustLevel.Verified => "verified",
            TrustLevel.Authenticated => "authenticated",
            TrustLevel.AddressOnly => "address-only",
            _ => "observed",
        };
    }

    /// <summary>
    /// Notes the upstream's status before anything else can fail: what it took, it took. Then passes on its headers, but for one that the server
    /// would throw at (YARP's own copy would turn the whole answer into a 502). An answer that would lead the sender elsewhere is not passed on.
    /// </summary>
    private sealed class OpenAnswer(bool copyHeaders) : ResponseTransform
    {
        public override ValueTask ApplyAsync(ResponseTransformContext context)
        {
            if (context.ProxyResponse is not { } response)
            {
                return default;
            }

            Admitted(context.HttpContext).Delivery.UpstreamStatus = (int)response.StatusCode;
            if (response.ReasonPhrase is { } phrase && !ForwardedHeaders.IsSendable(phrase))
            {
                context.HttpContext.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
            }

            if (!ForwardOutcome.IsPassedOn((int)response.StatusCode))
            {
                context.SuppressResponseBody = true;
            }
            else if (copyHeaders)
            {
                var headers = context.HttpContext.Response.Headers;
                Copy(response.Headers, headers);
                Copy(response.Content.Headers, headers);

                // RFC 9112 §6.3: beside Transfer-Encoding a length means nothing. RFC 9110 §8.6: a 204 has none.
                if (response.StatusCode == HttpStatusCode.NoContent || response.Headers.NonValidated.Contains("Transfer-Encoding"))
                {
                    headers.ContentLength = null;
                }

                // RFC 9110 §15.3.6: it has no content, whatever the app says, and the server throws at a length.
                if (response.StatusCode == HttpStatusCode.ResetContent)
                {
                    context.SuppressResponseBody = true;
                    headers.ContentLength = 0;
                    headers.Remove("Transfer-Encoding");
                }
            }

            return default;
        }

        private static void Copy(HttpHeaders from, IHeaderDictionary to)
        {
            foreach (var (name, values) in from.NonValidated)
            {
                if (ForwardedHeaders.IsDroppedFromAnswer(name))
                {
                    continue;
                }

                // Not Append, which passes over empty values.
                foreach (var value in values)
                {
                    if (ForwardedHeaders.IsSendable(value))
                    {
                        to[name] = values.Count == 1 ? value : StringValues.Concat(to[name], value);
                    }
                }
            }
        }
    }
}
