using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics.CodeAnalysis;
using WebhookEdge.Primitives;

namespace WebhookEdge.Cli;

/// <summary>
/// The verbs, and what is wrong with a command line that the parser is content with. The parser takes an unknown option for a word, gives it to the nearest
/// argument or option that wants one, and says nothing of what is left over where the command above lets it pass; a mistyped option would then do nothing,
/// silently.
/// </summary>
internal static class Verbs
{
    public static RootCommand Create()
    {
        var root = new RootCommand("WebhookEdge: lets only authentic, fresh, first-time webhooks through to your apps.");
        ServeCommand.AddTo(root);
        foreach (var command in (Command[])[DemoCommand.Create(), ValidateCommand.Create(), SendCommand.Create(), ExplainCommand.Create(),
            PresetsCommand.Create(), HealthcheckCommand.Create()])
        {
            root.Subcommands.Add(command);
        }

        return root;
    }

    /// <summary>
    /// What is wrong with the first word that nobody understands; null when there is none. What the parser itself found wrong it says itself.
    /// </summary>
    public static string? Fault(ParseResult parsed)
    {
        var verb = parsed.CommandResult.Command;
        var marked = parsed.Tokens.Any(static token => token.Type == TokenType.DoubleDash);
        foreach (var result in parsed.CommandResult.Children)
        {
            switch (result)
            {
                case OptionResult { Implicit: false, Tokens: [{ Value: ['-', '-', ..] word }, ..] } option:
                    return $"{option.Option.Name} has no value before \"{word}\"; write {option.Option.Name} VALUE";
                case ArgumentResult { Tokens: [{ Value: ['-', _, ..] word }, ..] } when !marked:
                    return Unknown(word, verb);
                default:
                    continue;
            }
        }

        if (ServeCommand.IsServe(verb))
        {
            return ServeCommand.Fault(parsed);
        }

        return parsed.UnmatchedTokens is [var first, ..] ? Unknown(first, verb) : ServeCommand.StrayFault(parsed);
    }

    /// <summary>The exit code for a command line that cannot be used. Of <c>explain</c> 1 says that the request would be refused.</summary>
    public static int UnusableCode(ParseResult parsed) => parsed.CommandResult.Command.Name == ExplainCommand.Name ? ExplainCommand.Unusable : 1;

    /// <summary>Reads the URL of a gateway. False for what no request can be sent to.</summary>
    public static bool TryReadGateway(string? text, [NotNullWhen(true)] out Uri? gateway) =>
        Uri.TryCreate(text, UriKind.Absolute, out gateway) && gateway.Scheme is "http" or "https";

    private static string Unknown(string word, Command verb) =>
        (word.StartsWith('-') ? $"unknown option \"{word}\"" : $"{verb.Name} does not know what to do with \"{word}\"")
        + "; " + (NearestName.Of(word.TrimStart('-'), verb.Options.Select(static option => option.Name.TrimStart('-'))) is { } name && word.StartsWith('-')
            ? $"did you mean \"--{name}\"?" : $"see {verb.Name} --help");
}
