using System.Net;
using System.Net.Sockets;

namespace WebhookEdge.LoadTests;

/// <summary>How a run is to be done.</summary>
/// <param name="Rate">Requests a second, whatever the target makes of them.</param>
/// <param name="Connections">Connections, and so requests that can be under way at once. More that are due wait, and their waiting counts.</param>
internal sealed record RunPlan(IPEndPoint Target, int Rate, TimeSpan Duration, int Connections)
{
    public int Requests => (int)Math.Max(1, Rate * Duration.TotalSeconds);
}

/// <summary>What a run came to.</summary>
/// <param name="Latency">From the moment a request was due to the last byte of its answer; of all requests that were answered, rightly or not.</param>
/// <param name="WrongAnswers">Answers other than the expected one, by what came instead.</param>
internal sealed record RunResult(
    LoadScenario Scenario,
    RunPlan Plan,
    TimeSpan Elapsed,
    LatencyHistogram Latency,
    IReadOnlyDictionary<RequestKind, long> Answered,
    IReadOnlyDictionary<string, long> WrongAnswers)
{
    public long Errors => WrongAnswers.Values.Sum();

    public double Rate => Latency.Count / Elapsed.TotalSeconds;
}

/// <summary>
/// An open model: requests are due at a constant rate and go out when they are due, whether earlier ones were answered or not. Latency counts from
/// the moment a request was due and not from when it could be sent, so a target that stalls cannot hide the stall by holding the sender up.
/// Each connection has a thread of its own, which takes the next request that is due.
/// </summary>
internal static class OpenModelRunner
{
    private const int StackSize = 256 * 1024;

    /// <summary>Time for every thread to be there before the first request is due.</summary>
    private static readonly TimeSpan Lead = TimeSpan.FromMilliseconds(50);

    public static RunResult Run(LoadScenario scenario, RequestBank bank, RunPlan plan, TimeProvider time)
    {
        var wire = new byte[plan.Requests][];
        var expected = new PreparedRequest[plan.Requests];
        for (var number = 0; number < plan.Requests; number++)
        {
            expected[number] = bank.Take(number);
            wire[number] = expected[number].Request.ToWire(plan.Target.ToString());
        }

        var workers = new Worker[Math.Min(plan.Connections, plan.Requests)];
        var start = time.GetTimestamp() + ToTimestamp(Lead, time);
        var line = new Line(wire, expected, start, (double)time.TimestampFrequency / plan.Rate);
        for (var i = 0; i < workers.Length; i++)
        {
            workers[i] = new(line, plan.Target, time);
        }

        foreach (var worker in workers)
        {
            worker.Thread.Join();
        }

        var latency = new LatencyHistogram();
        var answered = new Dictionary<RequestKind, long>();
        var wrong = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var worker in workers)
        {
            latency.Add(worker.Latency);
            foreach (var (kind, count) in worker.Answered)
            {
                answered[kind] = answered.GetValueOrDefault(kind) + count;
            }

            foreach (var (what, count) in worker.Wrong)
            {
                wrong[what] = wrong.GetValueOrDefault(what) + count;
            }
        }

        // The last request is due one interval before the end of the plan; a run that is done earlier than planned has not been faster.
        var elapsed = time.GetElapsedTime(start);
        return new(scenario, plan, elapsed > plan.Duration ? elapsed : plan.Duration, latency, answered, wrong);
    }

    /// <summary>Sends each request once, one after the other. The first wrong answer throws.</summary>
    /// <exception cref="InvalidDataException">An answer was not the expected one.</exception>
    public static void Deliver(IEnumerable<PreparedRequest> requests, IPEndPoint target)
    {
        using var connection = new HttpConnection(target);
        foreach (var request in requests)
        {
            var answer = connection.Exchange(request.Request.ToWire(target.ToString()));
            if (!IsExpected(answer, request.Expected))
            {
                throw new InvalidDataException($"before the run, {request.Kind} to {request.Request.Path}: {Describe(request.Expected)} expected, {Describe(answer)} came");
            }
        }
    }

    private static bool IsExpected(Answer answer, ExpectedAnswer expected) => answer.Status == expected.Status && answer.Duplicate == expected.Duplicate;

    private static string Describe(ExpectedAnswer expected) => Describe(new Answer(expected.Status, expected.Duplicate));

    private static string Describe(Answer answer) => answer.Duplicate ? $"{answer.Status} duplicate" : $"{answer.Status}";

    private static long ToTimestamp(TimeSpan span, TimeProvider time) => (long)(span.TotalSeconds * time.TimestampFrequency);

    /// <summary>The requests in the order in which they are due.</summary>
    private sealed class Line(byte[][] wire, PreparedRequest[] expected, long start, double interval)
    {
        private int _next = -1;

        public bool TryTake(out long due, out byte[] request, out PreparedRequest about)
        {
            var number = Interlocked.Increment(ref _next);
            if (number >= wire.Length)
            {
                (due, request, about) = (0, [], default);
                return false;
            }

            (due, request, about) = (start + (long)(number * interval), wire[number], expected[number]);
            return true;
        }
    }

    private sealed class Worker
    {
        private readonly Line _line;
        private readonly IPEndPoint _target;
        private readonly TimeProvider _time;

        public Worker(Line line, IPEndPoint target, TimeProvider time)
        {
            _line = line;
            _target = target;
            _time = time;
            Thread = new(Work, StackSize) { IsBackground = true };
            Thread.Start();
        }

        public Thread Thread { get; }

        public LatencyHistogram Latency { get; } = new();

        public Dictionary<RequestKind, long> Answered { get; } = [];

        public Dictionary<string, long> Wrong { get; } = new(StringComparer.Ordinal);

        private void Work()
        {
            using var connection = new HttpConnection(_target);
            while (_line.TryTake(out var due, out var request, out var about))
            {
                Pause.Until(due, _time);
                try
                {
                    var answer = connection.Exchange(request);
                    Latency.Record(_time.GetElapsedTime(due));
                    Answered[about.Kind] = Answered.GetValueOrDefault(about.Kind) + 1;
                    if (!IsExpected(answer, about.Expected))
                    {
                        Count($"{about.Kind}: {Describe(answer)} instead of {Describe(about.Expected)}");
                    }
                }
                catch (SocketException e)
                {
                    Count($"{about.Kind}: {e.SocketErrorCode}");
                }
                catch (InvalidDataException e)
                {
                    Count($"{about.Kind}: {e.Message}");
                }
            }
        }

        private void Count(string what) => Wrong[what] = Wrong.GetValueOrDefault(what) + 1;
    }
}
