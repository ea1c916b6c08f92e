/** Proposals: what is not done by itself because of a deployment's mode is written down (`propose.ts`), and begun once approved (`begin.ts`). */
import type { ProposalState } from '../../core/domain/proposal.ts';
import { watchedDeployments } from '../../db/queries/modes.ts';
import { loadPlan } from '../../db/queries/plans.ts';
import { expireProposals, lockProposal, type ProposalRow, settleProposal } from '../../db/queries/proposals.ts';
import type { ControlDeps } from '../deps.ts';
import { type BegunProposal, beginProposal } from './begin.ts';
import { type ProposedMoves, proposeMoves } from './propose.ts';

export type { BegunProposal } from './begin.ts';
export type { ProposedMoves } from './propose.ts';

export type ProposalStatus = Pick<ProposalRow, 'deployment' | 'state' | 'summary' | 'reasons' | 'outlook' | 'decidedBy' | 'outcome'> & {
  expiresAtMs: number;
  /** Its moves were reserved: whoever finds that at its start takes the place of a workflow that is gone. */
  begun: boolean;
};

export function createProposalActivities(deps: ControlDeps) {
  const { db, now } = deps;
  return {
    /** Names of the deployments whose moves are proposed instead of made. */
    async deploymentsToProposeFor(): Promise<string[]> {
      return (await watchedDeployments(db)).map(({ name }) => name);
    },

    /** Plans for one of them. @param proposalId of what is new */
    async proposeMoves(deployment: string, proposalId: string): Promise<ProposedMoves> {
      return proposeMoves(deps, deployment, proposalId);
    },

    /** How a proposal stands, once whoever is deciding it just now has done so. One that nobody decided in time has expired. */
    async proposalStatus(id: string): Promise<ProposalStatus> {
      return db.transaction(async (tx) => {
        await expireProposals(tx, new Date(now()));
        const { deployment, state, summary, reasons, outlook, decidedBy, outcome, expiresAt, planId } = await lockProposal(tx, id);
        const begun = planId !== null && (await loadPlan(tx, planId)).appliedAt !== null;
        return { deployment, state, summary, reasons, outlook, decidedBy, outcome, begun, expiresAtMs: expiresAt.getTime() };
      });
    },

    async beginProposal(id: string): Promise<BegunProposal> {
      return beginProposal(deps, id);
    },

    /** What became of an approved proposal. */
    async endProposal(id: string, state: ProposalState, outcome: string): Promise<void> {
      await db.transaction(async (tx) => {
        const row = await lockProposal(tx, id);
        if (row.state === 'approved') await settleProposal(tx, row, { state, outcome });
      });
    },
  };
}
