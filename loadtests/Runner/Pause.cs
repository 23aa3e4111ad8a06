using System.Runtime.InteropServices;

namespace WebhookEdge.LoadTests;

/// <summary>
/// Waits of the load generator's own threads. A timer counts milliseconds, and what it is late would be counted as the gateway's latency; the
/// system call is late by some 60 µs.
/// </summary>
internal static partial class Pause
{
    /// <summary>Returns at <paramref name="due"/>, a timestamp of <paramref name="time"/>, or at once when that is past.</summary>
    public static void Until(long due, TimeProvider time)
    {
        while (true)
        {
            var left = time.GetElapsedTime(time.GetTimestamp(), due);
            if (left <= TimeSpan.Zero)
            {
                return;
            }

            if (OperatingSystem.IsWindows())
            {
                Task.Delay(left, time, CancellationToken.None).GetAwaiter().GetResult();
            }
            else
            {
                var request = new TimeSpec { Seconds = (nint)(left.Ticks / TimeSpan.TicksPerSecond), Nanoseconds = (nint)(left.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick) };
                _ = NanoSleep(in request, 0);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int NanoSleep(in TimeSpec request, nint remaining);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
