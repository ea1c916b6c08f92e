/** One rollout of a deployment runs at a time; a newer one tells it so, waits until what it had begun is undone, or what it promoted is recorded, and begins. */
import { condition, getExternalWorkflowHandle, setHandler } from '@temporalio/workflow';
import type { Turn } from '../activities/index.ts';
import type { RolloutStatus } from '../core/domain/rollout.ts';
import { supersededSignal, turnSignal, workflowIds } from './messages.ts';
import { control, controlBriefly } from './proxies.ts';
import type { StageBoard } from './stage-board.ts';

/** The one before says when it ends; looked at by ourselves where it could not. */
const LOOK_AGAIN = '1 minute';

/** @returns null once it is this rollout's turn; or how it ended before that */
export async function untilTurn(board: StageBoard, rolloutId: string): Promise<RolloutStatus | null> {
  let called = false;
  setHandler(turnSignal, () => {
    called = true;
  });
  for (let told: string | null = null; ; ) {
    // Its row appears when whoever started it has committed, or never.
    const turn: Turn = await (told === null ? controlBriefly : control).takeTurn(rolloutId);
    if (turn.turn === 'begin') return null;
    if (turn.turn === 'over') return turn.status;
    if (told !== turn.behind) {
      await board.show(`waits until rollout ${turn.behind} has ended`);
      if (!(await tell(turn.behindWorkflowId, rolloutId))) {
        await endIfOrphaned(rolloutId, turn.behind);
        continue;
      }
      told = turn.behind;
    }
    await condition(() => called, LOOK_AGAIN);
    called = false;
  }
}

/** @returns false where that workflow is not running */
async function tell(workflowId: string, rolloutId: string): Promise<boolean> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(supersededSignal, { by: rolloutId });
    return true;
  } catch {
    return false;
  }
}

/** It may have ended in this very moment: then its row says so. */
async function endIfOrphaned(rolloutId: string, behind: string): Promise<void> {
  const turn = await control.takeTurn(rolloutId);
  if (turn.turn === 'wait' && turn.behind === behind) await control.endOrphanedRollout(behind);
}

export async function callNext(successor: string | null): Promise<void> {
  if (!successor) return;
  await getExternalWorkflowHandle(workflowIds.deploy(successor))
    .signal(turnSignal)
    .catch(() => {}); // it has been ended, or looks by itself
}
