using System.CommandLine;
using System.CommandLine.Parsing;

namespace WebhookEdge.LoadTests;

/// <summary>What several commands ask of their arguments.</summary>
internal static class Arguments
{
    public static void Within(Option<int> option, int minimum, int maximum = int.MaxValue) => option.Validators.Add(result =>
    {
        if (Read<int>(result) is { } value && (value < minimum || value > maximum))
        {
            result.AddError(maximum == int.MaxValue ? $"{option.Name} must be at least {minimum}" : $"{option.Name} must be from {minimum} to {maximum}");
        }
    });

    /// <summary>What was given for an option; null when it is no <typeparamref name="T"/>, which the parser says by itself.</summary>
    public static T? Read<T>(OptionResult result)
        where T : struct
    {
        try
        {
            return result.GetValueOrDefault<T>();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Null when the file can be written; its folder is made. Asked before a long run, so that its figures are not lost at the end.</summary>
    public static string? WriteFault(string option, FileInfo? file)
    {
        try
        {
            file?.Directory?.Create();
            using var stream = file?.Open(FileMode.OpenOrCreate, FileAccess.Write);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{option}: {e.Message}";
        }
    }

    public static void NoBlanks(Option<string> option) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<string>() is not { Length: > 0 } value || value.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            result.AddError($"{option.Name} must be visible ASCII without blanks");
        }
    });
}
