using System.Diagnostics;
using System.Globalization;
using System.Text;
using Xunit.Abstractions;

namespace WebhookEdge.UnitTests.Fuzz;

/// <summary>
/// A run of random changes to a corpus: a few hundred of a fixed seed, or as long as FUZZ_SECONDS says with a seed of its own (FUZZ_SEED repeats one).
/// What a run finds becomes a file of the corpus.
/// </summary>
internal sealed class FuzzRun
{
    private const int Usual = 400;
    private const int FixedSeed = 20_260_101;

    private static readonly string[] Tokens =
        ["", ",", ";", " ", "\t", "=", "==", "v1=", "v0=", "v2=", "v1,", "t=", "ts=", "h1=", "sha256=", "sha1=", ".", ":", "+", "-", "_", "/", "0x", "0", "00",
            "1767225600", "1767225600000",
         "2026-01-01T00:00:00Z", "é", "\u2028", "\0", "\ud800", "{", "}", "[", "]", "\"", "'", "\\", "null", "1e9", "-1", "%00", "..", "*", "any", "0.0.0.0/0",
         "::ffff:1.2.3.4", "//", "#", "~", "\r\n", "\uFEFF"];

    private readonly ITestOutputHelper _output;
    private readonly long _until;
    private readonly int _seed;
    private int _round;

    /// <param name="output">Where the seed is told.</param>
    /// <param name="share">The part of FUZZ_SECONDS this run may take.</param>
    public FuzzRun(ITestOutputHelper output, double share)
    {
        _output = output;
        var seconds = int.TryParse(Environment.GetEnvironmentVariable("FUZZ_SECONDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var written)
            ? written : 0;
        _until = seconds == 0 ? 0 : Stopwatch.GetTimestamp() + (long)(seconds * share * Stopwatch.Frequency);
        _seed = int.TryParse(Environment.GetEnvironmentVariable("FUZZ_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed
            : seconds == 0 ? FixedSeed : Environment.TickCount & int.MaxValue;
        Random = new(_seed);
    }

    public Random Random { get; private set; }

    /// <summary>For messages: how to get this very case again.</summary>
    public string Where => $"FUZZ_SEED={_seed}, round {_round}";

    /// <summary>True while the run goes on. Each round has a generator of its own, so that a round can be had without those before it.</summary>
    public bool Next()
    {
        _round++;

        // Not HashCode.Combine, which is another in each process: a round could not be had again.
        Random = new(unchecked((_seed * 1_000_003) ^ (_round * 7_919)) & int.MaxValue);
        if (_until == 0 ? _round <= Usual : Stopwatch.GetTimestamp() < _until)
        {
            return true;
        }

        _output.WriteLine($"{_round - 1} rounds, FUZZ_SEED={_seed}");
        return false;
    }

    public T Pick<T>(IReadOnlyList<T> items) => items[Random.Next(items.Count)];

    /// <summary>The text with one thing about it changed.</summary>
    public string Mutate(string text)
    {
        var at = Random.Next(text.Length + 1);
        var length = Random.Next(Math.Min(8, text.Length - at) + 1);
        return Random.Next(8) switch
        {
            0 => text[..at] + Pick(Tokens) + text[at..],
            1 => text[..at] + text[(at + length)..],
            2 => string.Concat(text.AsSpan(0, at + length), text.AsSpan(at)),
            3 when at < text.Length => text[..at] + (char)(text[at] ^ (1 << Random.Next(7))) + text[(at + 1)..],
            4 => text[..at] + Pick(Tokens) + text[(at + length)..],
            5 => Random.Next(2) == 0 ? text.ToUpperInvariant() : text.ToLowerInvariant(),
            6 => text + Pick(Tokens) + text,
            _ => text[..at],
        };
    }

    public byte[] Mutate(byte[] bytes)
    {
        var at = Random.Next(bytes.Length + 1);
        var length = Random.Next(Math.Min(16, bytes.Length - at) + 1);
        return Random.Next(6) switch
        {
            0 => [.. bytes[..at], .. Encoding.UTF8.GetBytes(Pick(Tokens)), .. bytes[at..]],
            1 => [.. bytes[..at], .. bytes[(at + length)..]],
            2 => [.. bytes[..at], .. bytes[at..(at + length)], .. bytes[at..]],
            3 when at < bytes.Length => [.. bytes[..at], (byte)(bytes[at] ^ (1 << Random.Next(8))), .. bytes[(at + 1)..]],
            4 => [.. bytes[..at], .. Encoding.UTF8.GetBytes(Pick(Tokens)), .. bytes[(at + length)..]],
            _ => bytes[..at],
        };
    }
}
