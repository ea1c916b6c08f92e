/** What the load generator saw of a drain, to be held against the receipt. */
import type { DrainReceipt } from '../../core/domain/drain.ts';
import type { RequestRecord } from '../../test/chaos/outcomes.ts';

/** Gateways hear of a replica that leaves within this: whether what ends meanwhile still counts is theirs to say. */
const EDGE_MS = 250;

export interface DrainCount {
  host: string;
  replicas: number;
  seconds: number;
  receipt: { finished: number; dropped: number; retried: number; unknown: number };
  /** Requests that ended on those replicas after they were unrouted, as the clients saw it. */
  counted: { finished: number; dropped: number };
  /** Those of `counted.finished` that ended while the gateways were being told. */
  edge: number;
  /** Does the receipt say what the clients saw? */
  equal: boolean;
}

/** @param unrouted replica id → when it was unrouted, since the epoch */
export function countDrain(receipt: DrainReceipt, records: readonly RequestRecord[], unrouted: ReadonlyMap<string, number>): DrainCount {
  const left = new Set(receipt.moved.map((m) => m.replicaId));
  const after = records.flatMap((r) => {
    const at = r.replicaId !== null && left.has(r.replicaId) ? unrouted.get(r.replicaId) : undefined;
    return at !== undefined && r.endedAtMs > at ? [{ ...r, afterMs: r.endedAtMs - at }] : [];
  });
  const finished = after.filter((r) => r.end.how === 'completed');
  const dropped = after.length - finished.length;
  const edge = finished.filter((r) => r.afterMs <= EDGE_MS).length;
  const { requestsFinished, requestsDropped, requestsRetried, requestsUnknown } = receipt;
  const within = requestsFinished <= finished.length && requestsFinished >= finished.length - edge;
  return {
    host: receipt.host,
    replicas: receipt.moved.length,
    seconds: receipt.seconds,
    receipt: { finished: requestsFinished, dropped: requestsDropped, retried: requestsRetried, unknown: requestsUnknown },
    counted: { finished: finished.length, dropped },
    edge,
    equal: within && requestsDropped === dropped && receipt.moved.every((m) => unrouted.has(m.replicaId)),
  };
}
