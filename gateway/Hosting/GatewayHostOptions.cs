namespace WebhookEdge.Hosting;

/// <summary>What a host is started with; the rest is ordinary ASP.NET Core configuration.</summary>
internal sealed record GatewayHostOptions
{
    public required string RoutesPath { get; init; }

    /// <summary>Passed on to ASP.NET Core's configuration, e.g. <c>--urls</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public Action<ILoggingBuilder>? Logging { get; init; }

    /// <summary>Last word on the services; for tests.</summary>
    public Action<IServiceCollection>? Services { get; init; }
}
