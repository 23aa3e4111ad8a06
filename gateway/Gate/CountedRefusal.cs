using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.RateLimiting;

namespace WebhookEdge.Gate;

/// <summary>
/// An answer to strangers behind ASP.NET Core's rate limiting middleware: the answer as long as the budget lasts, another one beyond it.
/// <para>
/// The middleware is never disposed and roots a timer of its own for as long as the process lives, and with it whatever it can reach. So it is given services
/// of its own and finds its way back through the request alone: a host that has ended is not kept by it.
/// </para>
/// </summary>
internal sealed class CountedRefusal
{
    private static readonly ServiceProvider s_services = new ServiceCollection().AddLogging().AddMetrics().AddRateLimiter(static _ => { })
        .BuildServiceProvider();

    private readonly RequestDelegate _counted;
    private readonly RequestDelegate _answer;
    private readonly Func<HttpContext, RateLimitLease, Task> _refuse;

    /// <param name="limiter">The budgets; disposed by whoever made them.</param>
    /// <param name="answer">Within the budget.</param>
    /// <param name="refuse">Beyond it.</param>
    public CountedRefusal(PartitionedRateLimiter<HttpContext> limiter, RequestDelegate answer, Func<HttpContext, RateLimitLease, Task> refuse)
    {
        _answer = answer;
        _refuse = refuse;
        var branch = new ApplicationBuilder(s_services);
        branch.UseRateLimiter(new RateLimiterOptions
        {
            GlobalLimiter = limiter,
            RejectionStatusCode = StatusCodes.Status429TooManyRequests,
            OnRejected = static (rejected, _) => new(Of(rejected.HttpContext)._refuse(rejected.HttpContext, rejected.Lease)),
        });
        branch.Run(static context => Of(context)._answer(context));
        _counted = branch.Build();
    }

    public Task AnswerAsync(HttpContext context)
    {
        context.Features.Set(this);
        return _counted(context);
    }

    private static CountedRefusal Of(HttpContext context) => context.Features.GetRequiredFeature<CountedRefusal>();
}
