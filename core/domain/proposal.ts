/**
 * Proposals: what the planner or monitoring would change of a deployment's placement, and does not do by itself because of the deployment's
 * mode. In `advise` mode one is open until an operator approves or declines it; in `shadow` mode it is only noted.
 */
import { z } from 'zod';
import type { DeploymentMode } from './deployment.ts';
import type { Move } from './plan.ts';

/** `rebalance`: moves of a plan. `reshape`: a rollout of the engine with other flags. */
export const proposalKindSchema = z.enum(['rebalance', 'reshape']);
export type ProposalKind = z.infer<typeof proposalKindSchema>;

export const proposalStateSchema = z.enum([
  'noted', // of shadow mode: nobody is asked
  'open',
  'approved', // and not carried out yet
  'done',
  'failed',
  'declined',
  'expired',
  'withdrawn', // the planner no longer proposes it, or the mode has changed
  'outdated', // approved, and it no longer fitted
]);
export type ProposalState = z.infer<typeof proposalStateSchema>;
/** Not decided, or decided and not carried out. */
export const PENDING_STATES: readonly ProposalState[] = ['noted', 'open', 'approved'];

/** For how long one may be approved. What was declined is not proposed again for as long. */
export const PROPOSAL_HOURS = 24;

/** Of a proposal that somebody declined; times as ISO 8601. */
export interface Declined {
  kind: ProposalKind;
  decidedBy: string | null;
  decidedAt: string | null;
  outcome: string;
  expiresAt: string;
}

/** Who declined it and when, why, and for how long that is the reason why it is not proposed: `declined by ann at 2026-01-31T12:00:00.000Z: too dear; ...`. */
export function declinedInWords({ kind, decidedBy, decidedAt, outcome, expiresAt }: Declined, nowMs: number): string {
  const told = `declined by ${decidedBy ?? 'an operator'}${decidedAt ? ` at ${decidedAt}` : ''}${outcome ? `: ${outcome}` : ''}`;
  // Monitoring finds other flags again by its own evidence.
  if (kind !== 'rebalance' || Date.parse(expiresAt) <= nowMs) return told;
  return `${told}; the same is proposed again after ${expiresAt} at the earliest, anything else with the next rebalance`;
}

/** What a proposal was made from, and rests on. */
export interface ProposalBasis {
  /** That served. */
  revision: number;
  /** Of the replicas that leave by it: id → generation. */
  generations: Readonly<Record<string, number>>;
}

export interface PresentBasis {
  mode: DeploymentMode;
  /** null where nothing serves. */
  revision: number | null;
  /** Of living replicas: id → generation. */
  generations: Readonly<Record<string, number>>;
  /** The rollout that is changing it; null where none is. */
  rollout: string | null;
  /** Was a plan for it applied since? */
  movedSince: boolean;
}

/** Why a proposal no longer fits, in one sentence; null where it does. */
export function whyOutdated({ revision, generations }: ProposalBasis, present: PresentBasis): string | null {
  if (present.mode === 'shadow') return 'the deployment is in shadow mode now';
  if (present.rollout) return `rollout ${present.rollout} is changing the deployment`;
  if (present.revision !== revision) return `it was made for revision ${revision}, ${present.revision ?? 'nothing'} serves now`;
  for (const [id, generation] of Object.entries(generations)) {
    const now = present.generations[id];
    if (now === undefined) return `replica ${id} is gone`;
    if (now !== generation) return `replica ${id} is of generation ${now} now, not ${generation}`;
  }
  return present.movedSince ? 'another plan has moved replicas of it since' : null;
}

/** Equal for plans that would do the same to as many replicas, whatever their new ones are called. */
export function fingerprintOf(moves: readonly Move[], present: number): string {
  const what = (move: Move) =>
    move.kind === 'retire'
      ? `- ${move.replicaId}`
      : `+ ${move.host} ${move.acceleratorKind} ${move.accelerators.join(',')} r${move.revision} ${move.replaces ?? ''}`;
  return [`of ${present}`, ...moves.map(what).sort()].join('\n');
}
