/**
 * One run of a policy: what each replica can still take, and which of them a request goes to. Revisions get the shares that their weights
 * say (exactly, by smooth weighted round robin); within a revision the replica with the least in flight takes the request.
 */
import type { QueuedRequest, ReplicaView, Shares } from './types.ts';

/** A replica with room, and what this round has given it already. */
export interface Slot<V extends ReplicaView = ReplicaView> {
  readonly replica: V;
  readonly taken: QueuedRequest[];
  inFlight: number;
  reservedKvTokens: number;
}

export interface Round<V extends ReplicaView = ReplicaView> {
  readonly slots: readonly Slot<V>[];
  /** Requests that the slots can take together. */
  readonly room: number;
  /** KV cache of the largest replica, whether it has room or not. */
  readonly largestKvCacheTokens: number;
  /** Weight of each revision: the sum over its replicas, whether they have room or not. */
  readonly weights: ReadonlyMap<number, number>;
}

/** Prompts are estimated by their characters: one is held to be too long only when it is so many times too long. */
const ESTIMATE_MAY_EXCEED = 1.5;

export type Admits = (slot: Slot, request: QueuedRequest) => boolean;

export function openRound<V extends ReplicaView>(replicas: readonly V[]): Round<V> {
  const slots: Slot<V>[] = [];
  const weights = new Map<number, number>();
  let room = 0;
  let largestKvCacheTokens = 0;
  for (const replica of replicas) {
    weights.set(replica.revision, (weights.get(replica.revision) ?? 0) + replica.weight);
    largestKvCacheTokens = Math.max(largestKvCacheTokens, replica.kvCacheTokens);
    const free = replica.maxInFlight - replica.running.size;
    if (free <= 0) continue;
    room += free;
    slots.push({ replica, taken: [], inFlight: replica.running.size, reservedKvTokens: kvTokensInUse(replica) });
  }
  return { slots, room, largestKvCacheTokens, weights };
}

/** KV cache tokens that a request is expected to need in the end. */
export function kvTokensOf(request: QueuedRequest): number {
  return request.inputTokens + request.predictedOutput.p50;
}

/** What we reserved, or what the engine reports if that is more: other gateways use it too. */
function kvTokensInUse(replica: ReplicaView): number {
  return Math.max(replica.reservedKvTokens, (replica.engine?.kvCacheUsage ?? 0) * replica.kvCacheTokens);
}

/**
 * The replica for a request, or null when none has room for it now. What fits a replica only when it is empty waits until it is; what is
 * too long for every replica goes to any of them at once, where the engine, which counts tokens, refuses it in its own words.
 */
export function chooseSlot<V extends ReplicaView>(
  round: Round<V>,
  request: QueuedRequest,
  shares: Shares,
  admits?: Admits,
): Slot<V> | null {
  const able = round.slots.filter((slot) => hasRoom(round, slot, request) && (admits?.(slot, request) ?? true));
  const fresh = request.avoid.size === 0 ? able : able.filter((slot) => !request.avoid.has(slot.replica.id));
  const candidates = fresh.length > 0 ? fresh : able;
  if (candidates.length === 0) return null;
  const revision = nextRevision(candidates, round.weights, shares);
  let best: Slot<V> | null = null;
  for (const slot of candidates) {
    if (slot.replica.revision === revision && (!best || isBetter(slot, best))) best = slot;
  }
  return best;
}

/** Notes that a request goes to a slot, for the rest of the round. */
export function take(slot: Slot, request: QueuedRequest): void {
  slot.taken.push(request);
  slot.inFlight += 1;
  slot.reservedKvTokens += kvTokensOf(request);
}

function hasRoom(round: Round, slot: Slot, request: QueuedRequest): boolean {
  const { maxInFlight, kvCacheTokens } = slot.replica;
  if (slot.inFlight >= maxInFlight) return false;
  const leastPromptTokens = request.inputTokens / ESTIMATE_MAY_EXCEED;
  if (leastPromptTokens > kvCacheTokens) return leastPromptTokens > round.largestKvCacheTokens;
  return slot.inFlight === 0 || slot.reservedKvTokens + kvTokensOf(request) <= kvCacheTokens;
}

/** Least in flight for its weight; among equals the engine with the quicker step, then the one used less. */
function isBetter(a: Slot, b: Slot): boolean {
  const byLoad = a.inFlight / a.replica.weight - b.inFlight / b.replica.weight;
  if (byLoad !== 0) return byLoad < 0;
  const byStep = a.replica.stepTime.d0 - b.replica.stepTime.d0;
  if (byStep !== 0) return byStep < 0;
  return a.replica.started + a.taken.length < b.replica.started + b.taken.length;
}

/**
 * Smooth weighted round robin: every revision that can take the request earns its weight, the richest goes and pays what all earned.
 * Revisions without room earn nothing, so that none catches up in a burst. Source: nginx, ngx_http_upstream_round_robin.
 */
function nextRevision(candidates: readonly Slot[], weights: ReadonlyMap<number, number>, shares: Shares): number {
  const first = candidates[0]!.replica.revision;
  if (weights.size === 1) {
    if (shares.size > 0) shares.clear();
    return first;
  }
  for (const revision of shares.keys()) if (!weights.has(revision)) shares.delete(revision);
  const able = new Set(candidates.map((slot) => slot.replica.revision));
  let richest = first;
  let earned = 0;
  for (const revision of able) {
    const weight = weights.get(revision)!;
    earned += weight;
    shares.set(revision, (shares.get(revision) ?? 0) + weight);
    if (shares.get(revision)! > shares.get(richest)!) richest = revision;
  }
  shares.set(richest, shares.get(richest)! - earned);
  return richest;
}
