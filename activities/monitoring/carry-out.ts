/**
 * What of the corrections lies outside of the database: the profiler is asked, rollouts are prepared, workflows are named to be started. A row
 * says what is still to be done, so that whatever was cut off is made good by the next look; each thing is asked for under an id of its own,
 * so that it happens once.
 */
import { assertNever, messageOf, UellmError } from '../../core/domain/errors.ts';
import {
  lockCorrection,
  pendingCorrections,
  type RecordedChange,
  type RecordedCorrection,
  updateCorrection,
} from '../../db/queries/monitoring-corrections.ts';
import type { ControlDeps } from '../deps.ts';
import { proposeReshape } from './propose-reshape.ts';
import { prepareReshape } from './reshape.ts';
import { describeChange } from './wording.ts';

/** Started by the workflow that asked, each by an id of its own; then `recordCorrectionStarted`. */
export type WorkflowToStart =
  | { kind: 'rebalance'; correctionId: number }
  | { kind: 'rollout'; correctionId: number; rolloutId: string }
  | { kind: 'proposal'; correctionId: number; proposalId: string; summary: string };

export interface CarriedOut {
  toStart: WorkflowToStart[];
  /** What failed, or has to wait, one line each. */
  trouble: string[];
}

export async function carryOutPending(deps: ControlDeps): Promise<CarriedOut> {
  const carriedOut: CarriedOut = { toStart: [], trouble: [] };
  for (const correction of await pendingCorrections(deps.db)) {
    try {
      const work = await carryOut(deps, correction);
      if (work) carriedOut.toStart.push(work);
    } catch (error) {
      const isFinal = error instanceof UellmError && error.detail.kind !== 'unavailable';
      if (isFinal) await fail(deps, correction, error.message);
      carriedOut.trouble.push(`${isFinal ? 'failed' : 'not yet'}, ${describeChange(correction.change)}: ${messageOf(error)}`);
    }
  }
  return carriedOut;
}

async function carryOut(deps: ControlDeps, { id, change }: RecordedCorrection): Promise<WorkflowToStart | null> {
  switch (change.kind) {
    case 'recalibrate-lengths':
      await recalibrate(deps, change);
      await settle(deps, id);
      return null;
    case 'reshape-engine':
      return (await proposeReshape(deps, id)) ?? { kind: 'rollout', correctionId: id, rolloutId: await prepareReshape(deps.db, id) };
    case 'rebalance':
      return { kind: 'rebalance', correctionId: id };
    case 'recalibrate-step-time':
    case 'limit-admission':
    case 'carry-step-time':
      return null; // done where it was recorded
    default:
      return assertNever(change);
  }
}

/** An undo comes after what it undoes, which may have been cut off: asked again, the profiler does it once. */
async function recalibrate(
  { recalibrateLengths }: ControlDeps,
  change: Extract<RecordedChange, { kind: 'recalibrate-lengths' }>,
): Promise<void> {
  const { model, class: sloClass, factor, correctionId, pending } = change;
  await recalibrateLengths({ model, class: sloClass, factor, correctionId });
  if (pending === 'undo') await recalibrateLengths({ model, class: sloClass, factor: 1 / factor, correctionId: `${correctionId} undone` });
}

/** It is carried out, unless something else has become due meanwhile. */
export async function settle({ db }: Pick<ControlDeps, 'db'>, id: number): Promise<void> {
  await db.transaction(async (tx) => {
    const { change, state } = await lockCorrection(tx, id);
    // What was asked for is the planner's, the rollout's or an operator's from here on.
    const isAskedFor = state === 'active' && (change.kind === 'rebalance' || change.kind === 'reshape-engine');
    await updateCorrection(tx, id, { change: { ...change, pending: null }, ...(isAskedFor ? { state: 'kept' as const } : {}) });
  });
}

async function fail({ db }: Pick<ControlDeps, 'db'>, { id, change }: RecordedCorrection, reason: string): Promise<void> {
  await updateCorrection(db, id, { state: 'failed', undoReason: reason, change: { ...change, pending: null } });
}
