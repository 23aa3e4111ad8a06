using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace WebhookEdge.Admin;

/// <summary>
/// Server-sent events (WHATWG HTML §9.2): the whole state once a second to each listener, made once for all of them and only while somebody listens.
/// Sixteen listeners at most; one that does not read is dropped, since nothing is kept for it.
/// </summary>
internal sealed class LiveStream(AdminState state, AdminAccess access, TimeProvider time)
{
    public const int MostListeners = 16;

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    private readonly Lock _lock = new();
    private byte[] _frame = [];
    private long _framedAt;
    private int _listeners;

    public int Listeners => Volatile.Read(ref _listeners);

    /// <summary>Sends until the listener goes, does not read, or has no right to it any more (its session is over), or the server stops.</summary>
    public async Task ServeAsync(HttpContext context, CancellationToken stopping)
    {
        if (Interlocked.Increment(ref _listeners) > MostListeners)
        {
            Interlocked.Decrement(ref _listeners);
            context.Response.Headers.RetryAfter = "5";
            await Results.Problem($"{MostListeners} pages are listening already; close one", statusCode: StatusCodes.Status503ServiceUnavailable,
                title: "too many listeners").ExecuteAsync(context);
            return;
        }

        try
        {
            using var over = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
            using var timer = new PeriodicTimer(Every, time);
            context.Response.ContentType = "text/event-stream";
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            do
            {
                var sending = context.Response.BodyWriter.WriteAsync(Frame(), over.Token).AsTask();
                await sending.WaitAsync(Patience, time, over.Token);
            }
            while (await timer.WaitForNextTickAsync(over.Token) && access.IsOperator(context));
        }
        catch (TimeoutException)
        {
            context.Abort();
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The listener went, or the server stops: either way there is nobody to tell.
        }
        finally
        {
            Interlocked.Decrement(ref _listeners);
        }
    }

    private byte[] Frame()
    {
        lock (_lock)
        {
            if (_frame.Length == 0 || time.GetElapsedTime(_framedAt) > Every * 0.5)
            {
                _framedAt = time.GetTimestamp();
                _frame = [.. "retry: 2000\ndata: "u8, .. JsonSerializer.SerializeToUtf8Bytes(state.Read(), Json), .. "\n\n"u8];
            }

            return _frame;
        }
    }
}
