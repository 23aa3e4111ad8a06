namespace WebhookEdge.AllowLists;

internal enum RangeKind
{
    Aws,
    Json,
}
