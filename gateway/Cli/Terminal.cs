using Spectre.Console;

namespace WebhookEdge.Cli;

/// <summary>A console that is plain text and wide enough when it is no terminal, so that a pipe, a log and a test read whole words.</summary>
internal static class Terminal
{
    private const int WidthWithoutTerminal = 160;

    public static IAnsiConsole Create()
    {
        var redirected = Console.IsOutputRedirected;
        var console = AnsiConsole.Create(new()
        {
            Out = new AnsiConsoleOutput(Console.Out),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        console.Profile.Width = redirected ? WidthWithoutTerminal : Math.Max(console.Profile.Width, 80);
        return console;
    }
}
