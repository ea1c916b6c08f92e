/** What a diagnosis is made from: what each ready replica answered of late, and what gateways say of it now. */
import type { ObservedReplica } from '../../core/placement/diagnosis/types.ts';
import type { Executor } from '../../db/client.ts';
import { readyReplicas, type ServedFigures, servedFigures } from '../../db/queries/diagnosis-reads.ts';
import { leaseGauges } from '../../db/queries/monitoring-evidence.ts';
import { FRESH_LEASE_MS } from './evidence.ts';
import { combineGauges } from './gauges.ts';

const NOTHING: ServedFigures = { requests: 0, inputTokens: 0, outputTokens: 0, engineMs: 0, decodingMs: 0, judged: 0, attained: 0 };

/** @param nowMs Unix time */
export async function observedReplicas(db: Executor, nowMs: number, windowSeconds: number): Promise<ObservedReplica[]> {
  const served = await servedFigures(db, { from: new Date(nowMs - windowSeconds * 1000), to: new Date(nowMs) });
  const leases = await leaseGauges(db, FRESH_LEASE_MS);
  return (await readyReplicas(db)).map(({ sinceMs, ...replica }) => {
    const { requests, judged, attained, ...sums } = served.get(replica.replicaId) ?? NOTHING;
    // Of less than a second, traffic says nothing.
    const observedSeconds = Math.max(1, Math.min(windowSeconds, (nowMs - sinceMs) / 1000));
    const { kvUsage, waiting, preemptions } = combineGauges(leases, replica.replicaId);
    return {
      ...{ ...replica, observedSeconds, judged, attained, kvUsage, waiting, preemptions },
      demand: sums.inputTokens > 0 && sums.outputTokens > 0 ? meanDemand(requests, sums, observedSeconds) : null,
      inEngine: sums.engineMs / 1000 / observedSeconds,
      decoding: sums.decodingMs / 1000 / observedSeconds,
      inFlight: leases.reduce((sum, { inFlight }) => sum + (inFlight[replica.replicaId] ?? 0), 0),
    };
  });
}

function meanDemand(requests: number, { inputTokens, outputTokens }: Pick<ServedFigures, 'inputTokens' | 'outputTokens'>, seconds: number) {
  return { requestsPerSecond: requests / seconds, inputTokens: inputTokens / requests, outputTokens: outputTokens / requests };
}
