namespace WebhookEdge.Replay;

/// <summary>What is wrong with the address of a Redis. The message repeats nothing of it, for it may hold a password.</summary>
internal sealed class RedisAddressException(string message) : Exception(message);
