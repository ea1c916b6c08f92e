/** In advise mode engines are not started in another shape before an operator has approved it: the correction becomes a proposal. */
import { conflict } from '../../core/domain/errors.ts';
import { readCorrection } from '../../db/queries/correction-reads.ts';
import { lockDeployment } from '../../db/queries/deployments.ts';
import { modeOf } from '../../db/queries/modes.ts';
import { lockCorrection } from '../../db/queries/monitoring-corrections.ts';
import { insertProposal, proposalOfCorrection } from '../../db/queries/proposals.ts';
import type { ControlDeps } from '../deps.ts';
import { expiryOf } from '../proposals/propose.ts';
import type { WorkflowToStart } from './carry-out.ts';
import { describeChange } from './wording.ts';

/**
 * Asked again, it answers with the same proposal.
 * @returns null where the deployment's mode asks for none
 * @throws conflict where nothing serves, not-found
 */
export async function proposeReshape({ db, now, newId }: ControlDeps, correctionId: number): Promise<WorkflowToStart | null> {
  return db.transaction(async (tx) => {
    const { change } = await lockCorrection(tx, correctionId);
    if (change.kind !== 'reshape-engine') throw new Error(`correction ${correctionId} is no new shape`);
    const made = await proposalOfCorrection(tx, correctionId);
    if (made) return { kind: 'proposal', correctionId, proposalId: made.id, summary: made.summary };
    if ((await modeOf(tx, change.deployment)) !== 'advise') return null;
    const { name, currentRevision } = await lockDeployment(tx, change.deployment);
    if (currentRevision === null) throw conflict('deployment', name, 'nothing of it was rolled out yet');
    const createdAt = new Date(now());
    const id = newId();
    const summary = describeChange(change);
    const { evidence } = await readCorrection(tx, correctionId);
    await insertProposal(tx, {
      ...{
        id,
        deployment: name,
        kind: 'reshape',
        state: 'open',
        summary,
        reasons: [String(evidence.message)],
        correctionId,
        fingerprint: summary,
      },
      ...{ basis: { revision: currentRevision, generations: {} }, createdAt, expiresAt: expiryOf(createdAt) },
    });
    return { kind: 'proposal', correctionId, proposalId: id, summary };
  });
}
