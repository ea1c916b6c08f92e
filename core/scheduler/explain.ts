/** Puts an explanation together, for requests that ask for one. */
import type { Explanation } from './explanation.ts';
import { predictTpotMs, predictTtftMs } from './latency.ts';
import type { QueuedRequest, ReplicaView } from './types.ts';

/** @param verdict what spoke against a replica that was not chosen */
export function explain<V extends ReplicaView>(
  policy: string,
  because: string,
  request: QueuedRequest,
  chosen: V,
  replicas: readonly V[],
  nowMs: number,
  verdict: (replica: V) => string,
): Explanation {
  return {
    policy,
    because,
    replica: chosen.id,
    waitedMs: round(nowMs - request.arrivalMs),
    considered: replicas.map((replica) => ({
      replica: replica.id,
      ttftMs: round(predictTtftMs(replica, request)),
      tpotMs: round(predictTpotMs(replica, request, nowMs)),
      inFlight: replica.load.inFlight,
      verdict: replica === chosen ? 'chosen' : verdict(replica),
    })),
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
