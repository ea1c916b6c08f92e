/** What people may say to a rollout while it runs: pause, resume, approve, abort. Each is an update that is refused at once where it makes no sense. */
import { type CancellationScope, condition, setHandler } from '@temporalio/workflow';
import { isTerminalPhase } from '../core/domain/rollout.ts';
import { abortUpdate, approveUpdate, pauseUpdate, resumeUpdate, rolloutStatusQuery } from './messages.ts';
import type { StageBoard } from './stage-board.ts';

export interface RolloutControls {
  /** Who approved; waits for that. */
  untilApproved(): Promise<string>;
  /** Who aborted and why; null while nobody has. */
  readonly abortedBy: string | null;
  /** From here on nothing can be called back. */
  close(): void;
  readonly closed: boolean;
}

/** Takes over the messages of a rollout. An abort cancels `work`; while paused, `board` begins no stage. */
export function takeControls(board: StageBoard, work: CancellationScope): RolloutControls {
  let pausedBy: string | null = null;
  let approvedBy: string | null = null;
  let abortedBy: string | null = null;
  let closed = false;

  const refuseWhenOver = (_: { by: string }) => {
    if (closed) throw new Error('the rollout has been promoted');
    if (isTerminalPhase(board.phase)) throw new Error(`the rollout has ended: ${board.phase}`);
    if (abortedBy || board.phase === 'rolling-back')
      throw new Error(`the rollout is being rolled back: ${abortedBy ?? board.status.reason}`);
  };
  setHandler(rolloutStatusQuery, () => board.status);
  setHandler(
    pauseUpdate,
    async ({ by, reason }) => {
      pausedBy = said(by, reason);
      await board.show(`paused by ${pausedBy}; the stage under way ends first`, 'paused');
      return board.status;
    },
    { validator: refuseWhenOver },
  );
  setHandler(
    resumeUpdate,
    async ({ by }) => {
      pausedBy = null;
      await board.show(`resumed by ${by}`, 'running');
      return board.status;
    },
    {
      validator: (request: { by: string }) => {
        refuseWhenOver(request);
        if (!pausedBy) throw new Error('the rollout is not paused');
      },
    },
  );
  setHandler(
    approveUpdate,
    ({ by }) => {
      approvedBy = by;
      return board.status;
    },
    {
      validator: (request: { by: string }) => {
        refuseWhenOver(request);
        if (board.phase !== 'awaiting-approval') throw new Error('the rollout does not wait for approval');
      },
    },
  );
  setHandler(
    abortUpdate,
    ({ by, reason }) => {
      abortedBy = said(by, reason);
      work.cancel();
      return board.status;
    },
    { validator: refuseWhenOver },
  );
  board.beforeEachStage(() => condition(() => pausedBy === null));

  return {
    async untilApproved() {
      await condition(() => approvedBy !== null);
      return approvedBy!;
    },
    get abortedBy() {
      return abortedBy;
    },
    close() {
      closed = true;
    },
    get closed() {
      return closed;
    },
  };
}

function said(by: string, reason: string): string {
  return reason ? `${by}: ${reason}` : by;
}
