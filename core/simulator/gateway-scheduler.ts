/** By which policy requests are replayed: the one by which gateways say that they schedule. */
import { DEFAULT_POLICY, SCHEDULER_POLICIES } from '../scheduler/registry.ts';

export interface ReplayScheduler {
  policy: string;
  /** Where gateways do not all schedule by it, or none was there to ask. */
  notes: string[];
}

/** @param reported policies of live gateways, that of most of them first; one of another version may have a policy that is not known here */
export function replayScheduler(reported: readonly string[]): ReplayScheduler {
  const policy = reported.find((name) => SCHEDULER_POLICIES.some((p) => p.name === name)) ?? DEFAULT_POLICY;
  if (reported.length === 0) return { policy, notes: [`no gateway says by which policy it schedules: replayed by ${policy}, the default`] };
  const isAll = reported.every((name) => name === policy);
  return { policy, notes: isAll ? [] : [`gateways schedule by ${reported.join(' and by ')}: replayed by ${policy}`] };
}
