using System.Buffers;
using System.IO.Pipelines;
using Microsoft.Extensions.Primitives;
using WebhookEdge.Observability;
using WebhookEdge.Primitives;

namespace WebhookEdge.Gate;

/// <summary>
/// One webhook on its way through the gate. Pooled: everything a check needs or learns about a request lives here and nowhere else.
/// Checks see this and no HttpContext, so a check can be tested without a server.
/// </summary>
internal sealed class Delivery
{
    private PipeReader? _reader;
    private bool _bodyHeld;
    private EventKey? _eventKey;
    private string? _eventKeyText;
    private readonly HeaderList _headerLines = new();
    private readonly RequestTrace _trace = new();
    private bool _traced;
    private bool _held;

    public Delivery() => Permit = new(this);

    /// <summary>To be left on the request once the gate has said yes, in the place of its lifetime.</summary>
    public ForwardPermit Permit { get; }

    /// <summary>Bounds the forward; fires when the route's time is up. Kept with the pooled delivery.</summary>
    public CancellationTokenSource? Deadline { get; set; }

    /// <summary>True once a byte of the body may have left for the upstream: from then on a failure is ambiguous and nothing is sent twice.</summary>
    public bool Sent { get; set; }

    /// <summary>The status line the upstream answered with, 0 before it did.</summary>
    public int UpstreamStatus { get; set; }

    public RoutePolicy Policy { get; private set; } = RoutePolicy.None;

    public string Method { get; private set; } = "";

    /// <summary>Path and query exactly as they stood in the request line.</summary>
    public string RawTarget { get; private set; } = "";

    public ClientAddress Client { get; set; }

    /// <summary>The connection is a trusted proxy's: what it says of its client's connection is believed.</summary>
    public bool FromTrustedProxy { get; set; }

    public IHeaderDictionary Headers { get; private set; } = EmptyHeaders;

    /// <summary>The Host header's own text; empty without one.</summary>
    public string Host { get; private set; } = "";

    /// <summary>The declared length, or null for chunked and HTTP/2 bodies without one.</summary>
    public long? DeclaredLength { get; private set; }

    /// <summary>Transfer-Encoding beside Content-Length, CONNECT or an upgrade to another protocol: what no webhook sender needs.</summary>
    public bool Ambiguous { get; set; }

    /// <summary>Other requests of the connection go on beside this one (HTTP/2), and share one window for what the server has not yet looked at.</summary>
    public bool SharesConnection { get; set; }

    /// <summary>The whole raw body, in the server's own buffers; empty before <see cref="Stage.Payload"/> has run.</summary>
    public ReadOnlySequence<byte> Body { get; private set; }

    /// <summary>What the delivery holds of the gateway's bounds beside its bytes. Owned by <see cref="Capacity"/>.</summary>
    public Holding Holding { get; } = new();

    /// <summary>Bytes reserved from the budget of buffered bodies; given back when the delivery ends.</summary>
    public long ReservedBytes { get; set; }

    /// <summary>Timestamp from <see cref="TimeProvider.GetTimestamp"/> at the last body byte: the route's <c>timeout</c> counts from here.</summary>
    public long BodyCompletedAt { get; set; }

    /// <summary>The server gave up on the body; the connection cannot be used for another request.</summary>
    public bool BodyBroken { get; set; }

    /// <summary>Besides, the server would fail to drain what is left of it.</summary>
    public bool BodyUnreadable { get; set; }

    public VerifiedIdentity? Proof { get; set; }

    public TrustLevel Trust { get; private set; }

    public IDeliveryClaim? Claim { get; set; }

    /// <summary>What tells the event from the sender's others. Null when the route has replay off, and before the key was made.</summary>
    public EventKey? EventKey
    {
        get => _eventKey;
        set
        {
            _eventKey = value;
            _eventKeyText = null;
        }
    }

    /// <summary>The same key in lower-case hex, as it goes upstream as <c>Idempotency-Key</c>; made when somebody asks for it.</summary>
    public string? EventKeyText => _eventKeyText ??= _eventKey?.ToString();

    /// <summary>The replay store was away and this delivery goes on without it (<c>onStoreError: open</c>).</summary>
    public bool ReplayStoreSkipped { get; set; }

    /// <summary>What observe mode would have refused first; NotDecided when nothing.</summary>
    public Verdicts.RejectReason WouldRefuse { get; set; }

    /// <summary>Working memory of the signature stage, kept with the pooled delivery so that verifying allocates nothing. Owned by Signatures.</summary>
    public object? SignatureScratch { get; set; }

    /// <summary>What the way out keeps with the pooled delivery. Owned by Forwarding.</summary>
    public object? ForwardScratch { get; set; }

    /// <summary>The headers as a list, walked once.</summary>
    public ReadOnlySpan<KeyValuePair<string, StringValues>> HeaderLines => _headerLines.Of(Headers);

    /// <summary>The headers, when some check has walked them; empty before.</summary>
    public ReadOnlySpan<KeyValuePair<string, StringValues>> HeaderLinesSeen => _headerLines.Seen;

    public static IHeaderDictionary EmptyHeaders { get; } = new HeaderDictionary { IsReadOnly = true };

    public void Open(
        RoutePolicy policy, string method, string rawTarget, ClientAddress client, IHeaderDictionary headers, long? declaredLength, PipeReader reader)
    {
        Policy = policy;
        Method = method;
        RawTarget = rawTarget;
        Client = client;
        Headers = headers;
        Host = headers.Host.ToString();
        DeclaredLength = declaredLength;
        _reader = reader;
    }

    /// <summary>Timestamp from <see cref="TimeProvider.GetTimestamp"/> at the request's head.</summary>
    public long StartedAt { get; private set; }

    /// <summary>Follows this request stage by stage; null for most requests of a busy route.</summary>
    public RequestTrace? Trace => _traced ? _trace : null;

    /// <summary>Of a duplicate: which span delivered the event.</summary>
    public TraceRef FirstTrace { get; set; }

    /// <summary>Decides whether this request is traced or timed. Called once it is open.</summary>
    public void Begin(GatewayMetrics metrics, TimeProvider time, long startedAt)
    {
        StartedAt = startedAt;
        var timed = Policy.Stats is { } stats && stats.ShouldTime(startedAt);
        if (timed || metrics.Tracing.IsOn)
        {
            var activity = metrics.Tracing.Start(Policy.RouteId, Policy.Provider, Policy.IsPrefix ? Policy.Path + "{**rest}" : Policy.Path, Method,
                Headers["traceparent"]);
            _trace.Begin(time, timed ? Policy.Stats : null, activity, startedAt);
            _traced = true;
        }
    }

    /// <summary>Tells the trace how the request ended; the time since the last check was the upstream's if the request was forwarded.</summary>
    public void EndTrace(string outcome, string reason, int status, string requestId)
    {
        if (Trace is { } trace)
        {
            if (Permit.HasBegun)
            {
                trace.Forwarded(UpstreamStatus);
            }

            trace.Ended(outcome, reason, status, requestId, trace.Activity is null ? null : EventKeyText, FirstTrace);
        }
    }

    /// <summary>Notes that the route's secret of this reference matched.</summary>
    public void SecretMatched(string secretId)
    {
        foreach (var record in Policy.Secrets)
        {
            // The same object, as a rule: both come from one text of the configuration.
            if (record.SecretId == secretId)
            {
                record.Matched(StartedAt);
            }
        }
    }

    /// <summary>A connection attempt is about to be repeated.</summary>
    public void Hold()
    {
        Policy.Stats?.Retried();
        if (!_held)
        {
            _held = true;
            Policy.Stats?.HoldBegins();
        }
    }

    /// <summary>Every check that asks for proof has passed: what is held counts against no stranger's share any more.</summary>
    public void HasPassed() => Holding.In?.Prove(this);

    public void RaiseTrust(TrustLevel level)
    {
        if (level > Trust)
        {
            Trust = level;
        }
    }

    /// <summary>The reader the body comes from. PayloadCheck reads it, once.</summary>
    public PipeReader BodyReader => _reader ?? throw new InvalidOperationException("the delivery is not open");

    /// <summary>
    /// Takes over the complete body while the pipe's last read stays open. Nothing is consumed until <see cref="ReturnBody"/>, so the same bytes
    /// can be hashed, forwarded, and forwarded again after a refused connection, even when the sender has hung up by then.
    /// </summary>
    public void HoldBody(ReadOnlySequence<byte> body)
    {
        Body = body;
        _bodyHeld = true;
    }

    /// <summary>Hands the buffers back to the server, which cannot drain a body that is still being read: the connection's next request would fail.</summary>
    public void ReturnBody()
    {
        if (_bodyHeld)
        {
            _bodyHeld = false;
            var end = Body.End;
            Body = default;
            BodyReader.AdvanceTo(end);
        }
    }

    /// <summary>Who reads <see cref="Body"/> to send it.</summary>
    public BodySending Sending { get; } = new();

    /// <summary>The upstream connection begins to read <see cref="Body"/>.</summary>
    /// <returns>Cancelled when the body must not be read any more.</returns>
    public CancellationTokenSource BeginSending()
    {
        Sent = true;
        return Sending.Begin();
    }

    /// <summary>Takes a delivery whose body may still be read out of use: what is counted of it ends, and everything else is left as it is.</summary>
    public void Abandon()
    {
        EndCounts();
        Body = default;
    }

    /// <summary>Forgets the request; the delivery goes back to the pool.</summary>
    public void Reset()
    {
        EndCounts();
        StartedAt = 0;
        FirstTrace = default;
        Policy = RoutePolicy.None;
        Method = RawTarget = "";
        Client = default;
        FromTrustedProxy = Ambiguous = SharesConnection = BodyBroken = BodyUnreadable = false;
        Headers = EmptyHeaders;
        Host = "";
        DeclaredLength = null;
        Body = default;
        ReservedBytes = BodyCompletedAt = 0;
        Holding.Reset();
        Proof = null;
        Trust = TrustLevel.Observed;
        Claim = null;
        EventKey = null;
        _headerLines.Reset();
        ReplayStoreSkipped = false;
        WouldRefuse = Verdicts.RejectReason.NotDecided;
        Sent = false;
        UpstreamStatus = 0;
        _reader = null;
        _bodyHeld = false;
        Sending.Reset();

        if (Deadline is { } deadline && !deadline.TryReset())
        {
            deadline.Dispose();
            Deadline = null;
        }
    }

    private void EndCounts()
    {
        if (_traced)
        {
            _traced = false;
            _trace.Close();
        }

        if (_held)
        {
            _held = false;
            Policy.Stats?.HoldEnds();
        }
    }
}
