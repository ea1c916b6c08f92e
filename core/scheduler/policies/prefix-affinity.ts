/**
 * Prefix affinity: the replica whose cache holds the longest beginning of the prompt, as long as loads are even. The form and the constants
 * are those of SGLang's cache-aware router: loads are uneven where the most loaded has both 64 requests and half as many again more than the
 * least loaded; less than 0.3 of the prompt is no match.
 */
import { leastInFlight } from '../room.ts';
import { router } from '../router.ts';
import type { QueuedRequest, ReplicaView, SchedulerPolicy } from '../types.ts';

const UNEVEN_BY = 64;
const UNEVEN_RATIO = 1.5;
const LEAST_MATCH = 0.3;

export const prefixAffinity: SchedulerPolicy = {
  name: 'prefix-affinity',
  summary: 'first come, first served, to the replica that has the longest beginning of the prompt cached, while loads are even',
  createScheduler: () => router('prefix-affinity', choose),
};

function choose<V extends ReplicaView>(
  candidates: readonly V[],
  { prefix, inputTokens }: QueuedRequest,
  _nowMs: number,
  all: readonly V[],
): V {
  if (!prefix || isUneven(all)) return leastInFlight(candidates);
  let longest = LEAST_MATCH * inputTokens;
  let matching: V[] = [];
  for (const replica of candidates) {
    const tokens = replica.load.prefixes.hitTokens(prefix, inputTokens);
    if (tokens < longest || tokens === 0) continue;
    if (tokens > longest) matching = [];
    longest = tokens;
    matching.push(replica);
  }
  return leastInFlight(matching.length > 0 ? matching : candidates);
}

function isUneven(replicas: readonly ReplicaView[]): boolean {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (const { load } of replicas) {
    if (load.inFlight < least) least = load.inFlight;
    if (load.inFlight > most) most = load.inFlight;
  }
  return most - least > UNEVEN_BY && most > UNEVEN_RATIO * least;
}
