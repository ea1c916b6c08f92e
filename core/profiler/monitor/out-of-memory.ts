/**
 * An engine has ended for want of memory. It failed what it had: no second look is waited for. Gateways are to fill clearly less than it
 * had in use before; where it ends again within minutes, it is started in another shape as well.
 *
 * Where most engines do it at once, each is acted on all the same: an engine that ends fails everything it has.
 */
import { DEFAULT_MEMORY_UTILISATION } from '../../domain/memory.ts';
import type { CorrectionChange } from './correction.ts';
import { type Detector, ofReplica, percent, replicaFinding, rounded, type Suspicion } from './detector.ts';
import type { ReplicaEvidence } from './evidence.ts';
import { admissionOf, EXITS_TOGETHER_MS, type MonitorMemory, replicaMemory } from './memory.ts';

const TIGHTER = 0.75;
const LEAST_SHARE = 0.2;
/** Leaves the difference to what is not KV cache. */
const LESS_UTILISATION = 0.08;
const LEAST_UTILISATION = 0.5;
const FEWER_SEQUENCES = 0.75;

export const outOfMemory: Detector = {
  kind: 'out-of-memory',
  looks: 1,
  leaves: 0,
  tolerated: 0,
  detect: ({ atMs, replicas }, memory) =>
    replicas.flatMap((r) => (replicaMemory(memory, r.replicaId).exitsAtMs.includes(atMs) ? suspicions(r, atMs, memory) : [])),
  deviation: (change, evidence) => ofReplica(change, evidence)?.outOfMemoryExits ?? null,
};

function suspicions(r: ReplicaEvidence, atMs: number, memory: MonitorMemory): Suspicion[] {
  const { exitsAtMs, peakKvUsage } = replicaMemory(memory, r.replicaId);
  const { kvShare, maxInFlightShare } = admissionOf(memory, r.replicaId);
  const together = exitsAtMs.filter((time) => time > atMs - EXITS_TOGETHER_MS).length;
  const used = peakKvUsage > 0 ? peakKvUsage : 1;
  const finding = replicaFinding(
    'out-of-memory',
    r.replicaId,
    `ended for want of memory${together > 1 ? `, ${together} times in ${EXITS_TOGETHER_MS / 60_000} minutes` : ''}; ${percent(used)} of its KV cache was in use before`,
    { exits: together, peakKvUsageShare: rounded(used), kvShareInForce: kvShare },
  );
  const tighter = (share: number) => rounded(Math.max(LEAST_SHARE, TIGHTER * share));
  const limit: CorrectionChange = {
    kind: 'limit-admission',
    replicaId: r.replicaId,
    kvShare: tighter(Math.min(kvShare, used)),
    maxInFlightShare: tighter(maxInFlightShare),
  };
  if (together < 2) return [{ finding, change: limit }];
  const memoryUtilisation = rounded(Math.max(LEAST_UTILISATION, (r.memoryUtilisation ?? DEFAULT_MEMORY_UTILISATION) - LESS_UTILISATION));
  const maxSequences = r.maxSequences == null ? null : Math.max(1, Math.floor(r.maxSequences * FEWER_SEQUENCES));
  return [
    { finding, change: limit },
    { finding, change: { kind: 'reshape-engine', deployment: r.deployment, memoryUtilisation, maxSequences } },
  ];
}
