/**
 * The scheduler: which requests go together, when, and to which replica. Pure: a scheduler is told what comes and asked what goes, and has
 * no clock; the gateway and the simulator do what it says. A policy is one file in `policies/` and one line here.
 *
 * `load.ts` is what is open on a replica, `latency.ts` what a request would see there, `room.ts` who can take it, `admission.ts` who may
 * wait and for how long, `revisions.ts` how a rollout's weights are kept. May import `core/domain` only.
 */
import { UellmError } from '../domain/errors.ts';
import { edf } from './policies/edf.ts';
import { fcfs } from './policies/fcfs.ts';
import { latencyHeadroom } from './policies/latency-headroom.ts';
import { leastInFlight } from './policies/least-in-flight.ts';
import { leastPredictedWork } from './policies/least-predicted-work.ts';
import { morphling } from './policies/morphling.ts';
import { powerOfTwo } from './policies/power-of-two.ts';
import { prefixAffinity } from './policies/prefix-affinity.ts';
import { roundRobin } from './policies/round-robin.ts';
import { s3 } from './policies/s3.ts';
import { shortestPredictedTtft } from './policies/shortest-predicted-ttft.ts';
import { sjf } from './policies/sjf.ts';
import { odbs, sloDbs, sloOdbs } from './policies/slo-odbs.ts';
import { uellm } from './policies/uellm.ts';
import type { SchedulerPolicy } from './types.ts';

export const SCHEDULER_POLICIES: readonly SchedulerPolicy[] = [
  roundRobin,
  leastInFlight,
  powerOfTwo,
  leastPredictedWork,
  shortestPredictedTtft,
  latencyHeadroom,
  prefixAffinity,
  fcfs,
  edf,
  sjf,
  sloOdbs,
  sloDbs,
  odbs,
  s3,
  morphling,
  uellm,
];

export const DEFAULT_POLICY = uellm.name;

/** @throws invalid-input that names the policies */
export function schedulerPolicy(name: string): SchedulerPolicy {
  const found = SCHEDULER_POLICIES.find((policy) => policy.name === name);
  if (found) return found;
  const allowed = `one of ${SCHEDULER_POLICIES.map((policy) => policy.name).join(', ')}`;
  throw new UellmError({ kind: 'invalid-input', what: 'scheduler', issues: [{ field: 'policy', given: JSON.stringify(name), allowed }] });
}
