namespace WebhookEdge.Replay;

/// <summary>What replay protection holds at one moment.</summary>
/// <param name="MemoryKeys">Events remembered in this process.</param>
/// <param name="Stores">Shared stores in use; 0 = this process's memory alone.</param>
/// <param name="Breaker">The worst of them: 0 closed, 1 half-open, 2 open.</param>
/// <param name="Queued">Markers waiting for a store to come back.</param>
/// <param name="MemoryLimit">Events remembered in this process at most.</param>
/// <param name="Forgotten">Events forgotten before their time, because the memory was full.</param>
internal readonly record struct ReplayState(int MemoryKeys, int Stores, int Breaker, int Queued, int MemoryLimit, long Forgotten);
