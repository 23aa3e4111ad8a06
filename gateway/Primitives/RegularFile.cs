using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace WebhookEdge.Primitives;

/// <summary>
/// Reads files that somebody named, whatever they are. A FIFO has no bytes before somebody writes to it: opened as usual, it would keep the thread that looks
/// at it for ever, and with it every reload after that one.
/// </summary>
internal static class RegularFile
{
    // <fcntl.h>: the same on x64 and Arm64.
    private static readonly int s_flags = OperatingSystem.IsMacOS() ? 0x4 | 0x1000000 : 0x800 | 0x80000;

    /// <summary>
    /// The file's bytes; null when it is no regular file, or larger than <paramref name="limit"/>. Never waits for a writer. Throws as <see cref="File"/> does.
    /// </summary>
    public static byte[]? Read(string path, int limit)
    {
        if (Directory.Exists(path))
        {
            return null;
        }

        using var file = Open(path);
        long length;
        try
        {
            length = RandomAccess.GetLength(file);
        }
        catch (NotSupportedException)
        {
            // A FIFO, a socket, a terminal.
            return null;
        }

        if (length > limit)
        {
            return null;
        }

        // Devices report no length and never end, and a file may grow; what is read here is bounded whatever the file says of itself.
        var buffer = new byte[Math.Min(limit, Math.Max(length, 4096)) + 1];
        var read = 0;
        while (true)
        {
            var more = RandomAccess.Read(file, buffer.AsSpan(read), read);
            read += more;
            if (more == 0 || read > limit)
            {
                return read > limit ? null : buffer[..read];
            }

            if (read == buffer.Length)
            {
                Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, limit + 1L));
            }
        }
    }

    private static SafeFileHandle Open(string path)
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS())
        {
            return File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        }

        var descriptor = OpenFile(path, s_flags);

        // What cannot be opened so cannot be opened otherwise, and the framework says why.
        return descriptor < 0 ? File.OpenHandle(path) : new(descriptor, ownsHandle: true);
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int OpenFile([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);
}
