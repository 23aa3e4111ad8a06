using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using WebhookEdge.Gate;
using WebhookEdge.Routes;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace WebhookEdge.UnitTests.Routes;

/// <summary>The last look after publishing: do requests meet the policies that are said to be in force?</summary>
public sealed class PublishedEndpointsTests
{
    [Fact]
    public void An_endpoint_with_an_earlier_policy_a_missing_one_and_one_too_many_are_told()
    {
        var (kept, changed, added, gone) = (Policy("kept"), Policy("changed"), Policy("added"), Policy("gone"));
        var snapshot = Snapshot(kept, changed, added);

        Assert.Empty(Served(kept, changed, added).Strays(snapshot));
        Assert.Equal(["changed"], Served(kept, Policy("changed"), added).Strays(snapshot));
        Assert.Equal(["added"], Served(kept, changed).Strays(snapshot));
        Assert.Equal(["gone"], Served(kept, changed, added, gone).Strays(snapshot));
    }

    [Fact]
    public void A_revision_keeps_the_policies_that_did_not_change_and_no_others()
    {
        var before = Snapshot(Policy("same"), Policy("changed"), Policy("gone"));
        var after = Snapshot(Policy("same"), Policy("changed", "2"), Policy("added"));

        var kept = after.Keeping(before);

        Assert.Same(before.Policies["same"], kept.Policies["same"]);
        Assert.Same(after.Policies["changed"], kept.Policies["changed"]);
        Assert.Same(after.Policies["added"], kept.Policies["added"]);
        Assert.Equal(3, kept.Policies.Count);
        Assert.False(kept.HasPoliciesOf(before));
        Assert.True(Snapshot(Policy("same"), Policy("changed"), Policy("gone")).Keeping(before).HasPoliciesOf(before));
    }

    private static RoutePolicy Policy(string id, string fingerprint = "1") => new() { RouteId = id, Fingerprint = fingerprint, Path = "/" };

    private static GatewaySnapshot Snapshot(params RoutePolicy[] policies) => new()
    {
        RevisionId = "r",
        Routes = [.. policies.Select(Route)],
        Clusters = [],
        Policies = System.Collections.Frozen.FrozenDictionary.ToFrozenDictionary(policies, static p => p.RouteId),
        Summaries = [],
        Settings = new(),
    };

    private static PublishedEndpoints Served(params RoutePolicy[] policies) =>
        new(new ServiceCollection()
            .AddSingleton<EndpointDataSource>(new DefaultEndpointDataSource(policies.Select(static policy =>
                new Endpoint(null, new EndpointMetadataCollection(new RouteModel(Route(policy), null, HttpTransformer.Default), policy), policy.RouteId))))
            .BuildServiceProvider());

    private static RouteConfig Route(RoutePolicy policy) => new() { RouteId = policy.RouteId, Match = new() { Path = "/" } };
}
