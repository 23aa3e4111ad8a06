using System.CommandLine;

namespace WebhookEdge.LoadTests;

/// <summary>What several commands ask of their arguments.</summary>
internal static class Arguments
{
    public static void AtLeast(Option<int> option, int minimum) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int>() < minimum)
        {
            result.AddError($"{option.Name} must be at least {minimum}");
        }
    });

    public static void NoBlanks(Option<string> option) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<string>() is not { Length: > 0 } value || value.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            result.AddError($"{option.Name} must be visible ASCII without blanks");
        }
    });
}
