/** What a state means to whoever looks at the page: the tone of its label. The label always says it in words too. */
import type { HostResource, PlanResource, ProposalResource, ReplicaResource, RolloutResource } from '../../../api/schema/index.ts';

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet';

const REPLICA: Record<ReplicaResource['state'], Tone> = {
  reserved: 'busy',
  starting: 'busy',
  warming: 'busy',
  ready: 'good',
  unroutable: 'warn',
  draining: 'busy',
  stopped: 'quiet',
  failed: 'bad',
};

const ROLLOUT: Record<RolloutResource['status']['phase'], Tone> = {
  running: 'busy',
  paused: 'warn',
  'awaiting-approval': 'warn',
  'rolling-back': 'warn',
  succeeded: 'good',
  failed: 'bad',
  'rolled-back': 'bad',
  superseded: 'quiet',
};

const PLAN: Record<PlanResource['state'], Tone> = {
  proposed: 'busy',
  applied: 'good',
  trimmed: 'warn',
  refused: 'warn',
  'dry-run': 'quiet',
};

const PROPOSAL: Record<ProposalResource['state'], Tone> = {
  noted: 'quiet',
  open: 'warn',
  approved: 'busy',
  done: 'good',
  failed: 'bad',
  declined: 'quiet',
  expired: 'quiet',
  withdrawn: 'quiet',
  outdated: 'warn',
};

export const proposalTone = (state: ProposalResource['state']): Tone => PROPOSAL[state];
export const rolloutTone = (phase: RolloutResource['status']['phase']): Tone => ROLLOUT[phase];
export const planTone = (state: PlanResource['state']): Tone => PLAN[state];

/** One label for a replica: `unreachable` in place of the `ready` of one that a gateway gets no answer from. */
export function replicaLabel({ state, status }: ReplicaResource): { label: string; tone: Tone } {
  if (state === 'ready' && status.unreachable !== null) return { label: 'unreachable', tone: 'bad' };
  return { label: state, tone: REPLICA[state] };
}

/** One label for a host: whether it is heard of goes before whether it takes work. */
export function hostState({ status }: HostResource): { label: string; tone: Tone } {
  if (status.liveness === 'lost') return { label: 'lost', tone: 'bad' };
  if (status.liveness === 'suspect') return { label: 'suspect', tone: 'warn' };
  if (status.service === 'draining') return { label: 'draining', tone: 'busy' };
  if (status.service !== 'schedulable') return { label: status.service, tone: 'warn' };
  if (status.liveness === 'pending') return { label: 'pending', tone: 'quiet' };
  return { label: 'ready', tone: 'good' };
}

/** Attained against what the policy asks for. Too few requests say nothing. */
export function attainmentTone(attained: number, target: number | null, requests: number): Tone {
  if (requests === 0 || target === null) return 'quiet';
  if (attained >= target) return 'good';
  return attained >= target - 0.05 ? 'warn' : 'bad';
}
