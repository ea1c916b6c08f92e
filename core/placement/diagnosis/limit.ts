/** What keeps a replica from serving more: the planner's own capacity, and what it would be with twice of each resource. */
import type { SloTargets } from '../../domain/slo-policy.ts';
import { type Lengths, type ReplicaSpeed, replicaCapacity, type Variations } from '../capacity/capacity.ts';
import { steadyState } from '../capacity/steady.ts';
import { workloadOf } from '../capacity/workload.ts';
import { largest } from './binding.ts';
import { type SplitStepTime, withTwice } from './step-terms.ts';
import type { Limit } from './types.ts';

const HALVINGS = 12;

export function limitOf(
  split: SplitStepTime,
  kvCacheTokens: number,
  lengths: Lengths,
  targets: SloTargets | null,
  variations: Variations,
  admissionLimit: number,
): Limit {
  const speed: ReplicaSpeed = { stepTime: split.coefficients, kvCacheTokens };
  const { requestsPerSecond, meetsSlo } = replicaCapacity(speed, lengths, targets, variations);
  const gain = (faster: Partial<ReplicaSpeed>) => {
    const twice = replicaCapacity({ ...speed, ...faster }, lengths, targets, variations);
    return twice.meetsSlo && !meetsSlo ? Number.POSITIVE_INFINITY : Math.max(1, twice.requestsPerSecond / requestsPerSecond);
  };
  const gains = {
    compute: gain({ stepTime: withTwice(split, 'compute') }),
    bandwidth: gain({ stepTime: withTwice(split, 'bandwidth') }),
    link: gain({ stepTime: withTwice(split, 'link') }),
    host: gain({ stepTime: withTwice(split, 'host') }),
    'kv-cache': gain({ kvCacheTokens: kvCacheTokens * 2 }),
  };
  const admitted = admittedRate(speed, lengths, variations, requestsPerSecond, admissionLimit);
  return {
    requestsPerSecond: admitted ?? requestsPerSecond,
    meetsSlo,
    binds: admitted === null ? largest(gains) : 'queue',
    withTwice: Object.fromEntries(
      Object.entries(gains).map(([resource, factor]) => [resource, Number.isFinite(factor) ? factor : null]),
    ) as Limit['withTwice'],
  };
}

/** The rate at which as many are in the engine as may be, by halving; null where that is no less than the rate without such a limit. */
function admittedRate(
  speed: ReplicaSpeed,
  lengths: Lengths,
  variations: Variations,
  requestsPerSecond: number,
  admissionLimit: number,
): number | null {
  const workload = workloadOf(speed, lengths, variations);
  const inEngine = (perSecond: number) => {
    const steady = steadyState(workload, perSecond / 1000);
    return steady ? steady.rate * (steady.ttftMs + steady.decodingMs) : Number.POSITIVE_INFINITY;
  };
  if (inEngine(requestsPerSecond) <= admissionLimit) return null;
  let [low, high] = [0, requestsPerSecond];
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (inEngine(middle) > admissionLimit) high = middle;
    else low = middle;
  }
  return low;
}
