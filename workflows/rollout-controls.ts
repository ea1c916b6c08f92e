/**
 * What may be said to a rollout while it runs. People: pause, resume, approve, abort, each an update that is refused at once where it makes no
 * sense. A newer rollout: that this one is superseded.
 */
import { type CancellationScope, condition, setHandler } from '@temporalio/workflow';
import { isTerminalPhase } from '../core/domain/rollout.ts';
import { abortUpdate, approveUpdate, pauseUpdate, resumeUpdate, rolloutStatusQuery, supersededSignal } from './messages.ts';
import type { StageBoard } from './stage-board.ts';

export interface RolloutControls {
  /** Who approved; waits for that. */
  untilApproved(): Promise<string>;
  /** Who called it back and why; null while nobody has. */
  readonly calledBack: { by: 'person' | 'newer rollout'; reason: string } | null;
  /** The newer rollout that waits for this one to end; null where there is none. */
  readonly successor: string | null;
  /** From here on nothing can be called back. */
  close(): void;
  readonly closed: boolean;
}

/** Takes over the messages of a rollout. What calls it back cancels `work`; while paused, `board` is on hold. */
export function takeControls(board: StageBoard, work: CancellationScope): RolloutControls {
  let approvedBy: string | null = null;
  let calledBack: RolloutControls['calledBack'] = null;
  let successor: string | null = null;
  let closed = false;

  const over = (): string | null => {
    if (isTerminalPhase(board.phase)) return `the rollout has ended: ${board.phase}`;
    if (closed) return 'the rollout has been promoted';
    if (calledBack || board.phase === 'rolling-back')
      return `the rollout is being rolled back: ${calledBack?.reason ?? board.status.reason}`;
    return null;
  };
  const refuseWhenOver = (_: { by: string }) => {
    const why = over();
    if (why) throw new Error(why);
  };
  const callBack = (by: 'person' | 'newer rollout', reason: string) => {
    calledBack = { by, reason };
    work.cancel();
  };
  setHandler(rolloutStatusQuery, () => board.status);
  setHandler(
    pauseUpdate,
    async ({ by, reason }) => {
      board.hold();
      await board.show(`paused by ${said(by, reason)}; nothing new begins, and what is under way is held or ends`);
      return board.status;
    },
    {
      validator: (request) => {
        refuseWhenOver(request);
        if (board.isHeld) throw new Error('the rollout is paused already');
      },
    },
  );
  setHandler(
    resumeUpdate,
    async ({ by }) => {
      board.letGo();
      await board.show(`resumed by ${by}`);
      return board.status;
    },
    {
      validator: (request: { by: string }) => {
        refuseWhenOver(request);
        if (!board.isHeld) throw new Error('the rollout is not paused');
      },
    },
  );
  setHandler(
    approveUpdate,
    ({ by }) => {
      approvedBy = by;
      return { ...board.status, phase: board.isHeld ? 'paused' : 'running', reason: `approved by ${by}` };
    },
    {
      validator: (request: { by: string }) => {
        refuseWhenOver(request);
        if (approvedBy) throw new Error(`the rollout has been approved by ${approvedBy}`);
        if (!board.awaitsApproval) throw new Error('the rollout does not wait for approval');
      },
    },
  );
  setHandler(
    abortUpdate,
    ({ by, reason }) => {
      const why = `aborted by ${said(by, reason)}`;
      callBack('person', why);
      return { ...board.status, phase: 'rolling-back', reason: why };
    },
    { validator: refuseWhenOver },
  );
  setHandler(supersededSignal, ({ by }) => {
    successor = by;
    if (over() === null) callBack('newer rollout', `superseded by rollout ${by}`);
  });

  return {
    async untilApproved() {
      await condition(() => approvedBy !== null);
      return approvedBy!;
    },
    get calledBack() {
      return calledBack;
    },
    get successor() {
      return successor;
    },
    close() {
      closed = true;
      board.letGo();
      board.liftDeadlines();
    },
    get closed() {
      return closed;
    },
  };
}

function said(by: string, reason: string): string {
  return reason ? `${by}: ${reason}` : by;
}
