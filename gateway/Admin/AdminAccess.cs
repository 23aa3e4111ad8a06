using System.Net;
using System.Security.Cryptography;
using System.Text;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Admin;

/// <summary>
/// Who may ask the admin listener. Without a token: this machine, by a loopback name, and no page of another origin. With one: whoever sends it, as
/// <c>Authorization: Bearer</c> or, from the page, as a cookie that signing in gave; then probes alone are open to all. An endpoint that says nothing of
/// itself needs the token, so that a new one cannot be forgotten.
/// </summary>
internal sealed class AdminAccess : IDisposable
{
    public const string CookieName = "webhookedge-admin";

    private const int ShortestToken = 16;

    private readonly byte[]? _token;
    private readonly AdminSessions? _sessions;
    private readonly FailedTries _tries = new();
    private RequestDelegate? _wrongBearer;
    private RequestDelegate? _wrongSignIn;

    public AdminAccess(IConfiguration configuration, TimeProvider time)
    {
        if (configuration["Admin:Token"] is { Length: > 0 } token)
        {
            _token = SHA256.HashData(Encoding.UTF8.GetBytes(token));
            _sessions = new(_token, time);
        }
    }

    private enum Credential
    {
        /// <summary>No token came, and no session.</summary>
        None,
        Right,
        Wrong,

        /// <summary>A session, and a page of another origin that uses it.</summary>
        Foreign,
    }

    public bool NeedsToken => _token is not null;

    /// <summary>What stands in the way of listening at <paramref name="url"/>; null when nothing does.</summary>
    /// <param name="url">As for ASPNETCORE_URLS; several are parted by semicolons.</param>
    public static ConfigProblem? Fault(string url, string? token)
    {
        if (token is { Length: > 0 and < ShortestToken })
        {
            return new("Admin:Token", $"a token of {token.Length} characters can be guessed", $"take {ShortestToken} or more, e.g. from: openssl rand -hex 32");
        }

        if (UnreadableUrl(url) is { } unreadable)
        {
            return new("Admin:Url", $"cannot listen on \"{unreadable}\": not an address",
                $"write http://ADDRESS:PORT, e.g. Admin__Url={AdminEndpoints.DefaultUrl}");
        }

        return string.IsNullOrEmpty(token) && !IsLoopback(url)
            ? new("Admin:Url",
                $"{url} can be reached from other machines, and Admin:Token is not set: anybody there could read the journal and let duplicates through",
                $"set Admin__Token (e.g. from: openssl rand -hex 32), or listen on loopback: Admin__Url={AdminEndpoints.DefaultUrl}")
            : null;
    }

    /// <summary>Puts the question before everything that follows.</summary>
    public void Use(IApplicationBuilder application)
    {
        _wrongBearer = AfterCounting(context =>
        {
            context.Response.Headers.WWWAuthenticate = "Bearer";
            return NeedsOne().ExecuteAsync(context);
        });
        _wrongSignIn = AfterCounting(
            Refuse(StatusCodes.Status401Unauthorized, "wrong token", "this is not the value of Admin:Token").ExecuteAsync);
        application.Use(InvokeAsync);
    }

    private async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (_token is null)
        {
            if (!IsFromHere(context.Request))
            {
                await Refuse(StatusCodes.Status403Forbidden, "not from here",
                    "ask this machine by its loopback name (127.0.0.1, localhost), and not from a page of another origin; for other names set Admin:Token")
                    .ExecuteAsync(context);
                return;
            }
        }
        else if (context.GetEndpoint()?.Metadata.GetMetadata<OpenToAll>() is null)
        {
            switch (CredentialOf(context))
            {
                case Credential.Right:
                    break;
                case Credential.Wrong:
                    await _wrongBearer!(context);
                    return;
                case Credential.Foreign:
                    await Refuse(StatusCodes.Status403Forbidden, "not from here", "a page of another origin may not use this page's cookie")
                        .ExecuteAsync(context);
                    return;
                default:
                    context.Response.Headers.WWWAuthenticate = "Bearer";
                    await NeedsOne().ExecuteAsync(context);
                    return;
            }
        }

        await next(context);
    }

    /// <summary>Whether the request may see what only operators may; for endpoints that are open and say more to them.</summary>
    public bool IsOperator(HttpContext context) => _token is null || CredentialOf(context) == Credential.Right;

    /// <summary>Takes the token from a form's field <c>token</c> and gives a cookie for it.</summary>
    public async Task SignInAsync(HttpContext context)
    {
        if (_sessions is not null)
        {
            if (!IsSameOrigin(context.Request))
            {
                await Refuse(StatusCodes.Status403Forbidden, "not from here", "sign in on the page itself").ExecuteAsync(context);
                return;
            }

            // The right one is told before anything is counted: no number of wrong ones shuts the operator out.
            if (!IsToken(await ReadTokenAsync(context)))
            {
                await _wrongSignIn!(context);
                return;
            }

            context.Response.Cookies.Append(CookieName, _sessions.Begin(), Cookie(context, AdminSessions.Length));
        }

        await Results.NoContent().ExecuteAsync(context);
    }

    /// <summary>
    /// Ends the session that the request's cookie names, or with <c>?all=true</c> every session of this instance. A state change like any other: a page of
    /// another origin may not.
    /// </summary>
    public IResult SignOut(HttpContext context)
    {
        if (!IsSameOrigin(context.Request))
        {
            return Refuse(StatusCodes.Status403Forbidden, "not from here", "sign out on the page itself");
        }

        if (_sessions is not null && context.Request.Cookies.TryGetValue(CookieName, out var cookie) && _sessions.IsValid(cookie))
        {
            if (context.Request.Query["all"] == "true")
            {
                _sessions.EndAll();
            }
            else
            {
                _sessions.End(cookie);
            }
        }

        context.Response.Cookies.Delete(CookieName, Cookie(context, null));
        return Results.NoContent();
    }

    public void Dispose() => _tries.Dispose();

    /// <summary>The form's token; what is no form, or none that can be read, holds none.</summary>
    private static async Task<string> ReadTokenAsync(HttpContext context)
    {
        try
        {
            return context.Request.HasFormContentType ? (await context.Request.ReadFormAsync(context.RequestAborted))["token"].ToString() : "";
        }
        catch (Exception e) when (e is InvalidDataException or IOException or NotSupportedException or ArgumentException)
        {
            // No form, or one in a character set that is not read.
            return "";
        }
    }

    /// <summary>The first part of <paramref name="url"/> that the server cannot read as an address; null when it can read them all.</summary>
    private static string? UnreadableUrl(string url)
    {
        var urls = url.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var one in urls)
        {
            try
            {
                BindingAddress.Parse(one);
            }
            catch (FormatException)
            {
                return one;
            }
        }

        return urls.Length == 0 ? url : null;
    }

    private static bool IsLoopback(string url) =>
        url.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is { Length: > 0 } urls
        && Array.TrueForAll(urls, static one =>
        {
            try
            {
                // As the server itself reads it; a Uri makes "localhost" of more than that.
                return IsLoopbackHost(BindingAddress.Parse(one).Host);
            }
            catch (FormatException)
            {
                return false;
            }
        });

    /// <summary>
    /// Names that the server binds to loopback: any but these it binds to every interface, also some that <see cref="Uri.IsLoopback"/> takes for loopback.
    /// </summary>
    private static bool IsLoopbackHost(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    /// <summary>
    /// A page on the internet can make a browser on this machine send requests here, under a name of its own that resolves to loopback (DNS rebinding)
    /// or across origins. So the Host must be this machine; and what changes or tells something must not be asked by another origin.
    /// </summary>
    private static bool IsFromHere(HttpRequest request)
    {
        if (!IsLoopbackHost(HostText.Split(request.Headers.Host.ToString(), out _).ToString()))
        {
            return false;
        }

        var isRead = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method);
        return (isRead && !IsApi(request)) || IsSameOrigin(request);
    }

    // As routing matches: whatever the case.
    private static bool IsApi(HttpRequest request) => request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase);

    /// <summary>Browsers say where a request comes from; what is no browser says nothing.</summary>
    private static bool IsSameOrigin(HttpRequest request)
    {
        var origin = request.Headers.Origin;
        var site = request.Headers["Sec-Fetch-Site"];
        return (origin.Count == 0 || (origin.Count == 1 && origin[0] == $"{request.Scheme}://{request.Headers.Host}"))
            && (site.Count == 0 || (site.Count == 1 && site[0] is "same-origin" or "none"));
    }

    private static IResult Refuse(int status, string title, string detail) => Results.Problem(detail, statusCode: status, title: title);

    private static IResult NeedsOne() =>
        Refuse(StatusCodes.Status401Unauthorized, "token required", "send Authorization: Bearer with the value of Admin:Token, or sign in on the page");

    /// <summary><paramref name="refuse"/> behind the framework's rate limiting middleware.</summary>
    private RequestDelegate AfterCounting(RequestDelegate refuse) => new CountedRefusal(_tries.Limiter, refuse, static (context, _) =>
    {
        context.Response.Headers.RetryAfter = "60";
        return Refuse(StatusCodes.Status429TooManyRequests, "too many wrong tokens", "this is not the value of Admin:Token, like many others from your address")
            .ExecuteAsync(context);
    }).AnswerAsync;

    private static CookieOptions Cookie(HttpContext context, TimeSpan? age) =>
        new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", MaxAge = age };

    private Credential CredentialOf(HttpContext context)
    {
        var authorization = context.Request.Headers.Authorization;
        if (authorization.Count == 0)
        {
            return !context.Request.Cookies.TryGetValue(CookieName, out var cookie) || !_sessions!.IsValid(cookie) ? Credential.None
                : IsSameOrigin(context.Request) || !IsApi(context.Request) ? Credential.Right
                : Credential.Foreign;
        }

        const string Scheme = "Bearer ";
        return authorization.Count == 1 && authorization[0] is { } value && value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && IsToken(value[Scheme.Length..])
            ? Credential.Right
            : Credential.Wrong;
    }

    private bool IsToken(string token) => CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(token)), _token!);
}

/// <summary>Metadata of an endpoint that needs no token: it tells a stranger nothing, or one word.</summary>
internal sealed class OpenToAll
{
    public static OpenToAll Instance { get; } = new();
}
