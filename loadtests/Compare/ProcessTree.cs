using System.Globalization;

namespace WebhookEdge.LoadTests;

/// <summary>What a process and everything it has started use, read from Linux' /proc.</summary>
internal static class ProcessTree
{
    // USER_HZ, fixed at 100 in the kernel's interface to user space on every architecture .NET runs on.
    private const int TicksPerSecond = 100;

    /// <summary>User and system time since each process of the tree began.</summary>
    public static TimeSpan CpuTime(int root)
    {
        var ticks = 0L;
        foreach (var process in Members(root))
        {
            ticks += process.Ticks;
        }

        return TimeSpan.FromSeconds((double)ticks / TicksPerSecond);
    }

    /// <summary>Proportional set size in bytes: memory shared by several processes counts once.</summary>
    public static long Memory(int root)
    {
        var kilobytes = 0L;
        foreach (var process in Members(root))
        {
            try
            {
                foreach (var line in File.ReadLines($"/proc/{process.Id}/smaps_rollup"))
                {
                    if (line.StartsWith("Pss:", StringComparison.Ordinal))
                    {
                        kilobytes += long.Parse(line.AsSpan(4).Trim()[..^3], CultureInfo.InvariantCulture);
                        break;
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Ended meanwhile, or another user's.
            }
        }

        return kilobytes * 1024;
    }

    /// <summary>Reads a line of /proc/PID/stat. The name in parentheses may hold blanks and parentheses itself, so counting starts after the last one.</summary>
    internal static (int Parent, long Ticks) ParseStat(string line)
    {
        var fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
        return (int.Parse(fields[1], CultureInfo.InvariantCulture), long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture));
    }

    private static List<(int Id, long Ticks)> Members(int root)
    {
        var all = new Dictionary<int, (int Parent, long Ticks)>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), CultureInfo.InvariantCulture, out var id))
            {
                try
                {
                    all[id] = ParseStat(File.ReadAllText($"/proc/{id}/stat"));
                }
                catch (IOException)
                {
                    // Ended meanwhile.
                }
            }
        }

        var members = new List<(int Id, long Ticks)>();
        var open = new Queue<int>([root]);
        while (open.TryDequeue(out var id))
        {
            if (all.TryGetValue(id, out var process))
            {
                members.Add((id, process.Ticks));
                foreach (var child in all)
                {
                    if (child.Value.Parent == id)
                    {
                        open.Enqueue(child.Key);
                    }
                }
            }
        }

        return members;
    }
}
