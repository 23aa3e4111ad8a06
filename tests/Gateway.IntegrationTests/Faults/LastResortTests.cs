using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookEdge.IntegrationTests.Requests;
using WebhookEdge.TestKit;
using Yarp.ReverseProxy.Transforms.Builder;

namespace WebhookEdge.IntegrationTests.Faults;

/// <summary>Whatever throws, wherever: a counted 500, a stack trace now and then, and nothing to the server, which would write each one down.</summary>
public sealed class Exceptions_that_nobody_expected
{
    [Theory]
    [InlineData("/hook", false)]
    [InlineData("/hook", true)]
    [InlineData("/nowhere", false)]
    [InlineData("/nowhere", true)]
    public async Task In_routing_they_are_a_counted_500_with_one_stack_trace(string path, bool later)
    {
        await using var site = await Site.WithOneRouteAsync(time: new TestClock(),
            services: services => services.AddSingleton<MatcherPolicy>(new Throwing(later)));
        await using var client = await site.Gateway.ConnectAsync();
        for (var i = 0; i < 20; i++)
        {
            var answer = await client.ExchangeAsync(Site.Signed("{}", path));
            Assert.Equal(500, answer.Status);
            Assert.True(answer.Headers.Contains("X-Request-Id"));
        }

        await Deadline.UntilAsync(() => site.Gateway.Metrics.Sum("webhookedge.requests", ("route", "none"), ("reason", "check-failed")) == 20,
            "each is counted");
        Assert.Equal("ThrowingException", site.Gateway.Journal.Newest()[0].Detail);
        var trace = Assert.Single(site.Gateway.Logs.WithEvent(1117));
        Assert.IsType<ThrowingException>(trace.Exception);
        Assert.DoesNotContain(site.Gateway.Logs.Entries,
            static line => line.Category.StartsWith("Microsoft.", StringComparison.Ordinal) && line.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task Behind_the_gate_they_are_the_routes_own()
    {
        await using var site = await Site.WithOneRouteAsync(time: new TestClock(),
            services: services => services.AddSingleton<ITransformProvider, ThrowingTransforms>());
        for (var i = 0; i < 3; i++)
        {
            Assert.InRange((await site.SendAsync(Site.Signed($"{i}"))).Status, 500, 502);
        }

        await site.IsIdleAsync();
        Assert.Equal(3, site.Gateway.Metrics.Sum("webhookedge.requests", ("route", "hook"), ("outcome", "refused")));
        Assert.DoesNotContain(site.Gateway.Logs.Entries,
            static line => line.Category.StartsWith("Microsoft.", StringComparison.Ordinal) && line.Level >= LogLevel.Warning);
    }

    private sealed class ThrowingException : Exception;

    private sealed class Throwing(bool later) : MatcherPolicy, IEndpointSelectorPolicy
    {
        public override int Order => 0;

        public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => true;

        public async Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
        {
            if (later)
            {
                await Task.Yield();
            }

            throw new ThrowingException();
        }
    }

    private sealed class ThrowingTransforms : ITransformProvider
    {
        public void ValidateRoute(TransformRouteValidationContext context)
        {
        }

        public void ValidateCluster(TransformClusterValidationContext context)
        {
        }

        public void Apply(TransformBuilderContext context) =>
            Yarp.ReverseProxy.Transforms.TransformBuilderContextFuncExtensions.AddRequestTransform(context, static _ => throw new ThrowingException());
    }
}
