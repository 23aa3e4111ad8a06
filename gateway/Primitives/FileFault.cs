using System.Runtime.InteropServices;

namespace WebhookEdge.Primitives;

/// <summary>Why a file cannot be read, in words for people. The path is left to the caller: it may not be fit to be shown.</summary>
internal static class FileFault
{
    /// <param name="path">What was to be read.</param>
    /// <param name="fault">What reading it threw: an <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</param>
    public static string Of(string path, Exception fault) => fault switch
    {
        FileNotFoundException or DirectoryNotFoundException => "it does not exist",
        _ when Directory.Exists(path) => "it is a directory",
        UnauthorizedAccessException => "permission denied",

        // On Unix the number of the system's error stands in HResult as it is; the runtime's own faults are negative.
        { HResult: > 0 and < 4096 } => Marshal.GetPInvokeErrorMessage(fault.HResult).ToLowerInvariant(),
        _ => "input/output error",
    };
}
