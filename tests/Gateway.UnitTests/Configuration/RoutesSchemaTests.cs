using System.Text.Json;
using WebhookEdge.Configuration;

namespace WebhookEdge.UnitTests.Configuration;

public class RoutesSchemaTests
{
    [Fact]
    public void The_committed_schema_is_the_generated_one() =>
        GeneratedFile.AssertCurrent("config/routes.schema.json", RoutesSchema.Generate(), "spec types", "UPDATE_SCHEMA", nameof(RoutesSchemaTests));

    [Fact]
    public void Every_key_of_a_route_is_described()
    {
        using var schema = JsonDocument.Parse(RoutesSchema.Generate());
        var route = schema.RootElement.GetProperty("properties").GetProperty("routes").GetProperty("additionalProperties");

        Assert.False(route.GetProperty("additionalProperties").GetBoolean());
        Assert.All(route.GetProperty("properties").EnumerateObject(), key => Assert.True(key.Value.TryGetProperty("description", out _), key.Name));
    }

    [Fact]
    public void Nothing_in_the_schema_allows_null_or_refers_to_a_place_that_is_not_there()
    {
        var text = RoutesSchema.Generate();

        Assert.DoesNotContain("\"null\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("$ref", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_forms_are_two_forms_in_the_schema()
    {
        using var schema = JsonDocument.Parse(RoutesSchema.Generate());
        var route = schema.RootElement.GetProperty("properties").GetProperty("routes").GetProperty("additionalProperties").GetProperty("properties");

        Assert.Equal("off", route.GetProperty("replay").GetProperty("anyOf")[0].GetProperty("const").GetString());
        Assert.Equal("array", route.GetProperty("allow").GetProperty("anyOf")[0].GetProperty("type").GetString());
        Assert.Equal("object", route.GetProperty("allow").GetProperty("anyOf")[1].GetProperty("type").GetString());
        Assert.Equal(["enforce", "observe"], route.GetProperty("mode").GetProperty("enum").EnumerateArray().Select(e => e.GetString()));
        Assert.StartsWith("^(env:", route.GetProperty("secrets").GetProperty("items").GetProperty("pattern").GetString(), StringComparison.Ordinal);
    }
}
