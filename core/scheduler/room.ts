/** Which replicas can take a request now. */
import type { QueuedRequest, ReplicaView } from './types.ts';

/** Prompts are estimated by their characters: one is held to be too long only when it is so many times too long. */
const ESTIMATE_MAY_EXCEED = 1.5;

/** KV cache tokens that a request is expected to need in the end. */
export function kvTokensOf(request: QueuedRequest): number {
  return request.inputTokens + request.predictedOutput.p50;
}

/** Has the replica a place free? One that batches statically has only while its batch is not yet under way. */
export function hasPlace(replica: ReplicaView): boolean {
  return replica.accepting && replica.load.inFlight < replica.maxInFlight;
}

/**
 * KV cache tokens in use in the end: what we expect of ours, or what ours use already if that is more, since answers outgrow predictions,
 * beside what belongs to other gateways; or what the engine reports if that is more.
 */
export function kvTokensInUse({ load, engine, kvCacheTokens, kvElsewhereTokens = 0 }: ReplicaView): number {
  const ours = Math.max(load.expectedKvTokens, load.decodeContextTokens + load.prefillTokens);
  return Math.max(ours + kvElsewhereTokens, (engine?.kvCacheUsage ?? 0) * kvCacheTokens);
}

/** The KV cache of the largest replica, whether it has room or not. */
export function largestKvCacheTokens(replicas: readonly ReplicaView[]): number {
  let largest = 0;
  for (const replica of replicas) if (replica.kvCacheTokens > largest) largest = replica.kvCacheTokens;
  return largest;
}

/**
 * Whether the request fits the replica's memory, where that does not depend on how full it is; null where it does. What fits a replica only
 * when it is empty waits until it is; what is too long for every replica goes to any of them at once, where the engine, which counts tokens,
 * refuses it in its own words.
 */
export function fitsAnyway(replica: ReplicaView, request: QueuedRequest, largestTokens: number): boolean | null {
  const leastPromptTokens = request.inputTokens / ESTIMATE_MAY_EXCEED;
  if (leastPromptTokens > replica.kvCacheTokens) return leastPromptTokens > largestTokens;
  return replica.load.inFlight === 0 ? true : null;
}

/** Does the request fit beside what is there, by `inUseTokens` of the replica's KV cache? */
export function fitsMemory(replica: ReplicaView, request: QueuedRequest, inUseTokens: number, largestTokens: number): boolean {
  return fitsAnyway(replica, request, largestTokens) ?? inUseTokens + kvTokensOf(request) <= replica.kvCacheTokens;
}

/**
 * Is there a replica that has not failed the request and could hold it, empty? Where there is none it goes again to one that has failed it:
 * it would wait for ever for the others.
 */
export function canBeAvoided(replicas: readonly ReplicaView[], request: QueuedRequest, largestTokens: number): boolean {
  return replicas.some((replica) => !request.avoid.has(replica.id) && fitsAnyway(replica, request, largestTokens) !== false);
}

/** Those of `able` that have not failed the request, or all of them where every one has. */
export function withoutAvoided<V extends ReplicaView>(able: V[], request: QueuedRequest): V[] {
  if (request.avoid.size === 0) return able;
  const fresh = able.filter((replica) => !request.avoid.has(replica.id));
  return fresh.length > 0 ? fresh : able;
}

/** Least in flight for its weight; among equals the engine with the quicker step, then the one used less. */
export function leastInFlight<V extends ReplicaView>(candidates: readonly V[]): V {
  let best = candidates[0]!;
  for (let i = 1; i < candidates.length; i++) if (hasLess(candidates[i]!, best)) best = candidates[i]!;
  return best;
}

function hasLess(a: ReplicaView, b: ReplicaView): boolean {
  const byLoad = a.load.inFlight / a.weight - b.load.inFlight / b.weight;
  if (byLoad !== 0) return byLoad < 0;
  const byStep = a.stepTime.d0 - b.stepTime.d0;
  if (byStep !== 0) return byStep < 0;
  return a.load.started < b.load.started;
}
