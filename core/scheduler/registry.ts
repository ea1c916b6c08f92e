/**
 * The scheduler: which requests go together, when, and to which replica. Pure: policies see a queue and replicas and answer with
 * assignments; the gateway and the simulator do what they say. A policy is one file in `policies/` and one line here.
 *
 * `admission.ts` says who may wait and for how long, `order.ts` in which order, `round.ts` which replica; `latency.ts` predicts what a
 * request will see there. May import `core/domain` only.
 */
import { UellmError } from '../domain/errors.ts';
import { edf } from './policies/edf.ts';
import { fcfs } from './policies/fcfs.ts';
import { sloOdbs } from './policies/slo-odbs.ts';
import type { SchedulerPolicy } from './types.ts';

export const SCHEDULER_POLICIES: readonly SchedulerPolicy[] = [fcfs, edf, sloOdbs];

/**
 * Deadlines are what users see missed, and ordering by them needs no constants to be right. SLO-ODBS orders alike, but its batches also
 * close for requests that were promised little (a long SLO counts as a long job), which on engines with continuous batching only idles them.
 */
export const DEFAULT_POLICY = edf.name;

/** @throws invalid-input that names the policies */
export function schedulerPolicy(name: string): SchedulerPolicy {
  const found = SCHEDULER_POLICIES.find((policy) => policy.name === name);
  if (found) return found;
  const allowed = `one of ${SCHEDULER_POLICIES.map((policy) => policy.name).join(', ')}`;
  throw new UellmError({ kind: 'invalid-input', what: 'scheduler', issues: [{ field: 'policy', given: JSON.stringify(name), allowed }] });
}
