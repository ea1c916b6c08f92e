/**
 * An engine that keeps running out of memory is started in another shape: by a rollout like any other, of a new revision with other flags,
 * through canary, SLO analysis and, where the deployment asks for it, a person's approval.
 *
 * The declared deployment stays as it is. A revision is what was rolled out, not what somebody wants: `get deployments` shows that the two
 * differ, the audit trail says who made it and why, `rollout rollback` goes back, and the next rollout of the declaration takes its place. A
 * flag that the operator has set is another matter: it is what somebody wants, and a revision that says otherwise would go behind their
 * back. Then the correction fails, with what to change.
 */
import type { DeploymentSpec } from '../../core/domain/deployment.ts';
import { conflict, UellmError } from '../../core/domain/errors.ts';
import type { Database, Transaction } from '../../db/client.ts';
import { recordAudit } from '../../db/queries/audit.ts';
import { type DeploymentRow, insertRevision, insertRollout, lockDeployment, runningRollout } from '../../db/queries/deployments.ts';
import { lockCorrection, type RecordedChange, updateCorrection } from '../../db/queries/monitoring-corrections.ts';
import { revisionSpec } from '../../db/queries/revisions.ts';
import { reshapedFlags } from './wording.ts';

type Reshape = Extract<RecordedChange, { kind: 'reshape-engine' }>;

/** `workflowIds.deploy`, which activities may not import. */
const workflowIdOf = (rolloutId: string) => `deploy-${rolloutId}`;
/** Who acts, in the audit trail. */
const ACTOR = 'monitoring';

/**
 * Makes the revision and the rollout's row, once: asked again, it answers with the same.
 * @returns the rollout's id
 * @throws unavailable while another rollout of the deployment runs; conflict where it is the operator's to change; not-found
 */
export async function prepareReshape(db: Database, correctionId: number): Promise<string> {
  return db.transaction(async (tx) => {
    const { change } = await lockCorrection(tx, correctionId);
    if (change.kind !== 'reshape-engine') throw new Error(`correction ${correctionId} is no new shape`);
    if (change.rolloutId) return change.rolloutId;
    const deployment = await lockDeployment(tx, change.deployment);
    const running = await runningRollout(tx, change.deployment);
    if (running)
      throw new UellmError({ kind: 'unavailable', what: `deployment ${change.deployment}`, reason: `rollout ${running} is running` });
    const rolloutId = await insertReshape(tx, deployment, change);
    await updateCorrection(tx, correctionId, { change: { ...change, rolloutId } });
    return rolloutId;
  });
}

async function insertReshape(tx: Transaction, row: DeploymentRow, change: Reshape): Promise<string> {
  const { name, currentRevision } = row;
  if (currentRevision === null) throw conflict('deployment', name, 'nothing of it was rolled out yet');
  // What serves, not what is declared: the declaration may hold changes that nobody has rolled out yet.
  const serving = await revisionSpec(tx, name, currentRevision);
  const flags = reshapedFlags(change);
  refuseOverruling(row.spec, flags);
  const spec: DeploymentSpec = { ...serving, engine: { ...serving.engine, args: { ...serving.engine.args, ...flags } } };
  const revision = await insertRevision(tx, name, spec);
  const id = await insertRollout(tx, row, revision, workflowIdOf);
  const after = { rollout: id, revision, correction: change.correctionId };
  await recordAudit(tx, { actor: ACTOR, action: 'rollout', kind: 'deployments', name, after });
  return id;
}

function refuseOverruling({ name, engine }: DeploymentSpec, flags: Record<string, number>): void {
  const wanted = Object.entries(flags)
    .map(([flag, value]) => `${flag}: ${value}`)
    .join(', ');
  const own = Object.keys(flags).filter((flag) => flag in engine.args);
  if (own.length === 0) return;
  const declared = own.map((flag) => `${flag}: ${engine.args[flag]}`).join(', ');
  throw conflict(
    'deployment',
    name,
    `it declares ${declared}; to keep its engines within their memory set ${wanted} in engine.args, and roll out`,
  );
}
