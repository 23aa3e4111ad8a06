using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using WebhookEdge.Configuration;
using WebhookEdge.Gate;

namespace WebhookEdge.Admin;

/// <summary>
/// Who may ask the admin listener. Without a token: this machine, by a loopback name, and no page of another origin. With one: whoever sends it, as
/// <c>Authorization: Bearer</c> or, from the page, as a cookie that signing in gave; then probes alone are open to all. An endpoint that says nothing of
/// itself needs the token, so that a new one cannot be forgotten.
/// </summary>
internal sealed class AdminAccess(IConfiguration configuration, TimeProvider time)
{
    public const string CookieName = "webhookedge-admin";

    private const int ShortestToken = 16;
    private static readonly TimeSpan SessionLength = TimeSpan.FromHours(12);

    private readonly byte[]? _token = configuration["Admin:Token"] is { Length: > 0 } token ? SHA256.HashData(Encoding.UTF8.GetBytes(token)) : null;
    private readonly FailedTries _tries = new(time);

    public bool NeedsToken => _token is not null;

    /// <summary>What stands in the way of listening at <paramref name="url"/>; null when nothing does.</summary>
    /// <param name="url">As for ASPNETCORE_URLS; several are parted by semicolons.</param>
    public static ConfigProblem? Fault(string url, string? token)
    {
        if (token is { Length: > 0 and < ShortestToken })
        {
            return new("Admin:Token", $"a token of {token.Length} characters can be guessed", $"take {ShortestToken} or more, e.g. from: openssl rand -hex 32");
        }

        return string.IsNullOrEmpty(token) && !IsLoopback(url)
            ? new("Admin:Url", $"{url} can be reached from other machines, and Admin:Token is not set: anybody there could read the journal and let duplicates through",
                $"set Admin__Token (e.g. from: openssl rand -hex 32), or listen on loopback: Admin__Url={AdminEndpoints.DefaultUrl}")
            : null;
    }

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (_token is null)
        {
            if (!IsFromHere(context.Request))
            {
                await Refuse(StatusCodes.Status403Forbidden, "not from here", "ask this machine by its loopback name (127.0.0.1, localhost), and not from a page of another origin; for other names set Admin:Token").ExecuteAsync(context);
                return;
            }
        }
        else if (context.GetEndpoint()?.Metadata.GetMetadata<OpenToAll>() is null && RefusalOf(context) is { } refusal)
        {
            await refusal.ExecuteAsync(context);
            return;
        }

        await next(context);
    }

    /// <summary>Whether the request may see what only operators may; for endpoints that are open and say more to them.</summary>
    public bool IsOperator(HttpContext context) => _token is null || RefusalOf(context) is null;

    /// <summary>Takes the token from a form's field <c>token</c> and gives a cookie for it.</summary>
    public async Task<IResult> SignInAsync(HttpContext context)
    {
        if (_token is null)
        {
            return Results.NoContent();
        }

        if (!IsSameOrigin(context.Request))
        {
            return Refuse(StatusCodes.Status403Forbidden, "not from here", "sign in on the page itself");
        }

        var from = From(context);
        if (!_tries.MayTry(from))
        {
            return TooMany(context);
        }

        if (!IsToken(await ReadTokenAsync(context)))
        {
            _tries.Failed(from);
            return Refuse(StatusCodes.Status401Unauthorized, "wrong token", "this is not the value of Admin:Token");
        }

        var until = (time.GetUtcNow() + SessionLength).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        context.Response.Cookies.Append(CookieName, $"{until}.{Proof(until)}", Cookie(context, SessionLength));
        return Results.NoContent();
    }

    /// <summary>The form's token; what is no form, or none that can be read, holds none.</summary>
    private static async Task<string> ReadTokenAsync(HttpContext context)
    {
        try
        {
            return context.Request.HasFormContentType ? (await context.Request.ReadFormAsync(context.RequestAborted))["token"].ToString() : "";
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return "";
        }
    }

    public static IResult SignOut(HttpContext context)
    {
        context.Response.Cookies.Delete(CookieName, Cookie(context, null));
        return Results.NoContent();
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

    /// <summary>Names that the server binds to loopback: any but these it binds to every interface, also some that <see cref="Uri.IsLoopback"/> takes for loopback.</summary>
    private static bool IsLoopbackHost(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

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

    private static IResult TooMany(HttpContext context)
    {
        context.Response.Headers.RetryAfter = "60";
        return Refuse(StatusCodes.Status429TooManyRequests, "too many wrong tokens", "wrong tokens came from your address; none is looked at for a minute");
    }

#pragma warning disable RS0030 // The admin listener stands behind no proxy that it would believe: the peer is who is counted.
    private static ClientAddress From(HttpContext context) => ClientAddress.From(context.Connection.RemoteIpAddress);
#pragma warning restore RS0030

    private static CookieOptions Cookie(HttpContext context, TimeSpan? age) =>
        new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Secure = context.Request.IsHttps, Path = "/", MaxAge = age };

    private IResult? RefusalOf(HttpContext context)
    {
        var authorization = context.Request.Headers.Authorization;
        if (authorization.Count == 0 && context.Request.Cookies.TryGetValue(CookieName, out var cookie) && IsSession(cookie))
        {
            return IsSameOrigin(context.Request) || !IsApi(context.Request)
                ? null
                : Refuse(StatusCodes.Status403Forbidden, "not from here", "a page of another origin may not use this page's cookie");
        }

        if (authorization.Count == 1)
        {
            var from = From(context);
            if (!_tries.MayTry(from))
            {
                return TooMany(context);
            }

            if (authorization[0] is { } value && value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && IsToken(value["Bearer ".Length..]))
            {
                return null;
            }

            _tries.Failed(from);
        }

        context.Response.Headers.WWWAuthenticate = "Bearer";
        return Refuse(StatusCodes.Status401Unauthorized, "token required", "send Authorization: Bearer with the value of Admin:Token, or sign in on the page");
    }

    private bool IsToken(string token) => CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(token)), _token!);

    private bool IsSession(string cookie)
    {
        var dot = cookie.IndexOf('.', StringComparison.Ordinal);
        return dot is > 0 and < 20
            && long.TryParse(cookie.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var until)
            && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(cookie[(dot + 1)..]), Encoding.ASCII.GetBytes(Proof(cookie[..dot])))
            && until > time.GetUtcNow().ToUnixTimeSeconds();
    }

    /// <summary>Made of the token, so that changing the token ends every session, and every instance with the same token knows them.</summary>
    private string Proof(string until) => Convert.ToHexStringLower(HMACSHA256.HashData(_token!, Encoding.UTF8.GetBytes("webhookedge admin session until " + until)));
}

/// <summary>Metadata of an endpoint that needs no token: it tells a stranger nothing, or one word.</summary>
internal sealed class OpenToAll
{
    public static OpenToAll Instance { get; } = new();
}

internal static class AdminAccessExtensions
{
    /// <summary>Needs no token. Every other endpoint of the admin listener does when there is one.</summary>
    public static T NeedsNoToken<T>(this T endpoint)
        where T : IEndpointConventionBuilder => endpoint.WithMetadata(OpenToAll.Instance);
}
