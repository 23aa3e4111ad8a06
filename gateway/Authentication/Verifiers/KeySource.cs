using WebhookEdge.Gate;
using WebhookEdge.Primitives;

namespace WebhookEdge.Authentication.Verifiers;

/// <summary>How asking for a key ended.</summary>
internal enum KeyFetch
{
    /// <summary>The key is there.</summary>
    Found,

    /// <summary>Its publisher says there is no such key, or what it sent is none.</summary>
    NoSuchKey,

    /// <summary>The publisher did not answer, or too many unknown keys were asked for lately. Worth trying again.</summary>
    Unavailable,
}

/// <summary>A fetched key and until when it may be used.</summary>
internal sealed record RemoteKey(IPublicKey Key, DateTimeOffset UsableUntil);

/// <summary>Where keys of one kind come from, and what is made of the publisher's answer.</summary>
/// <param name="Space">Goes before the name, so that the same name at another place or of another account is another key; empty where the name says
/// all.</param>
/// <param name="Request">Asks the publisher for the key of a name. May carry credentials: it goes to the publisher and nowhere else.</param>
/// <param name="Read">
/// Makes a key of the answer's bytes, as of the time they were fetched, or says null. Asked again of the same bytes when they come back from the state
/// directory, so it is the whole of what makes an answer acceptable.
/// </param>
internal sealed record KeySource(string Space, Func<string, HttpRequestMessage> Request, Func<byte[], DateTimeOffset, RemoteKey?> Read)
{
    /// <summary>The question for <paramref name="name"/>, which the verifier has matched against a fixed pattern.</summary>
    public KeyQuestion Ask(string name, Delivery delivery) => Ask(name, delivery.Policy.RouteId, delivery.Client);

    public KeyQuestion Ask(string name, string route, ClientAddress client) => new(this, name, Space.Length == 0 ? name : $"{Space}|{name}", route, client);
}

/// <summary>Which key, and on whose behalf: fetching is paid for by the route and the address that ask.</summary>
/// <param name="Name">The name the publisher knows.</param>
/// <param name="FullName">The name it goes by here.</param>
internal readonly record struct KeyQuestion(KeySource Source, string Name, string FullName, string Route, ClientAddress Client);
