namespace WebhookEdge.TestKit;

/// <summary>No test waits for ever: every wait has a deadline and says what it waited for when the time is up.</summary>
internal static class Deadline
{
    /// <summary>Long enough for a machine with two cores that does other work besides; a test that passes never spends it.</summary>
    public static TimeSpan Default { get; } = TimeSpan.FromSeconds(30);

    /// <exception cref="TimeoutException"><paramref name="task"/> did not end in time; the message names <paramref name="what"/>.</exception>
    public static async Task WaitAsync(Task task, string what, TimeSpan? within = null)
    {
        var limit = within ?? Default;
        try
        {
            await task.WaitAsync(limit);
        }
        catch (TimeoutException e) when (!task.IsCompleted)
        {
            throw new TimeoutException($"waited {limit.TotalSeconds:0.###} s in vain for {what}", e);
        }
    }

    /// <inheritdoc cref="WaitAsync(Task, string, TimeSpan?)"/>
    public static async Task<T> WaitAsync<T>(Task<T> task, string what, TimeSpan? within = null)
    {
        await WaitAsync((Task)task, what, within);
        return await task;
    }

    /// <summary>
    /// Asks every few milliseconds until <paramref name="condition"/> holds. For state that offers nothing to await, such as a gauge or a file;
    /// where there is an event, wait for the event.
    /// </summary>
    public static async Task UntilAsync(Func<bool> condition, string what, TimeSpan? within = null)
    {
        var limit = within ?? Default;
        var started = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
        {
            if (TimeProvider.System.GetElapsedTime(started) > limit)
            {
                throw new TimeoutException($"waited {limit.TotalSeconds:0.###} s in vain until {what}");
            }

            await timer.WaitForNextTickAsync();
        }
    }
}
