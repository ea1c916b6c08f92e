/**
 * Empties a host without dropping a request. Keyed by the host (`drain-<host>`): cordon, plan replacements, make before break, stop routing,
 * wait until every gateway has acknowledged it with nothing in flight, stop the engines. Plans again until the host is empty, so that a
 * rollout that was starting there, a budget that others use, or a fleet that changed, is met on the way. Ends with a receipt, or blocked
 * with a typed reason and the host still cordoned. What a drain before it had begun and left behind is given up at the start.
 */
import {
  CancellationScope,
  ContinueAsNew,
  condition,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { counted } from '../core/domain/counted.ts';
import type { DrainPhase } from '../core/domain/drain.ts';
import { inWords, type Refusal } from '../core/domain/refusal.ts';
import { reasonOf } from './compensation.ts';
import { drainDetails, receiptOf } from './drain-receipt.ts';
import { cancelDrainUpdate, type DrainNodeInput, type DrainState, type DrainStatus, drainStatusQuery } from './messages.ts';
import { executeMoves } from './moves.ts';
import { control, controlBriefly, planning } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

/** How long a drain waits for room elsewhere before it says that it is blocked. */
const BLOCKED_AFTER_MS = 60_000;
/** What ends by itself, or by whoever holds it: a drain waits for that as long as it takes. */
const PASSING: ReadonlySet<Refusal['on']> = new Set(['disruption-budget', 'rollout']);
/** So many rounds in a row may fail to move anything before a drain gives up. */
const FAILED_ROUNDS = 3;
/** From one look to the next while nothing happens: ever longer, so that a stream of an hour fills no history. */
const FIRST_LOOK_MS = 2000;
const LAST_LOOK_MS = 10_000;
const LAST_LOOK_MOVING_MS = 60_000;
const LOOK_GROWTH = 1.5;
const HISTORY_LIMIT = 1500;

/** It ends without having emptied the host, which stays cordoned. */
class Stopped extends Error {
  readonly phase: 'blocked' | 'failed';

  constructor(phase: Stopped['phase'], reason: string) {
    super(reason);
    this.phase = phase;
  }
}

export async function drainNode(input: DrainNodeInput): Promise<DrainStatus> {
  const { host, requestedBy, deadlineSeconds, onDeadline = 'wait' } = input;
  const state: DrainState = input.state ?? { beganMs: Date.now(), moved: [], failedRounds: 0 };
  const deadlineMs = deadlineSeconds === undefined ? null : state.beganMs + deadlineSeconds * 1000;
  const status: DrainStatus = {
    host,
    phase: 'cordoned',
    reason: `asked for by ${requestedBy}`,
    planId: null,
    remaining: [],
    open: [],
    deadlineMs,
    onDeadline,
    waiting: [],
    receipt: null,
  };
  const work = new CancellationScope();
  const rounds = new Set<Promise<void>>();
  /** Rounds that have ended. */
  let ended = 0;
  let lastFailure = '';
  let over = false;
  const show = (phase: DrainPhase, reason: string) => {
    Object.assign(status, { phase, reason });
    upsertSearchAttributes([{ key: searchAttributes.stage, value: phase }]);
    setCurrentDetails(drainDetails(status, state.moved, Date.now()));
  };
  const end = (phase: DrainPhase, reason: string): DrainStatus => {
    over = true;
    show(phase, reason);
    upsertSearchAttributes([{ key: searchAttributes.outcome, value: phase }]);
    return status;
  };
  const cancel = (reason: string) => {
    show(status.phase, reason);
    work.cancel();
  };

  setHandler(drainStatusQuery, () => status);
  setHandler(
    cancelDrainUpdate,
    ({ by }) => {
      cancel(`cancelled by ${by}`);
      return status;
    },
    {
      validator: (_: { by: string }) => {
        if (over) throw new Error(`the drain has ended: ${status.phase}`);
      },
    },
  );
  upsertSearchAttributes([{ key: searchAttributes.host, value: host }]);

  try {
    return await work.run(async () => {
      if (deadlineMs !== null && onDeadline === 'abort') void abortAt(deadlineMs, () => cancel(`not over within ${deadlineSeconds} s`));
      if (!input.state) {
        await controlBriefly.setHostService(host, 'cordoned', status.reason);
        show('cordoned', 'takes no new work');
        await control.abandonMoves('drain', host);
      }
      await emptyHost();
      const receipt = receiptOf(host, status.planId, state.moved, (Date.now() - state.beganMs) / 1000);
      await control.recordDrained(host, receipt);
      status.receipt = receipt;
      if (receipt.moved.length === 0) return end('drained', 'nothing was there');
      return end(
        'drained',
        `${counted(receipt.moved.length, 'replica')} left in ${receipt.seconds.toFixed(1)} s, ${counted(receipt.requestsDropped, 'request')} dropped`,
      );
    });
  } catch (error) {
    if (error instanceof ContinueAsNew) throw error;
    return CancellationScope.nonCancellable(async () => {
      await Promise.all(rounds);
      if (error instanceof Stopped) {
        await control.setHostService(host, 'cordoned', `${error.phase}: ${error.message}`);
        return end(error.phase, error.message);
      }
      if (!isCancellation(error)) return end('failed', reasonOf(error));
      await control.setHostService(host, 'schedulable', '');
      return end('cancelled', `${status.reason}; what had moved stays where it is`);
    });
  }

  async function emptyHost(): Promise<void> {
    let blockedSince: number | null = null;
    let lookMs = FIRST_LOOK_MS;
    for (;;) {
      const endedBefore = ended;
      const here = await control.replicasOnHost(host);
      status.remaining = here.map((r) => r.id);
      status.open = here.map(({ id, open, gatewaysBehind }) => ({ replicaId: id, open, gatewaysBehind }));
      if (here.length === 0 && rounds.size === 0) return;
      if (state.failedRounds >= FAILED_ROUNDS) throw new Stopped('failed', lastFailure);

      const unsettled = here.filter((r) => r.state === 'reserved' || r.state === 'starting' || r.state === 'warming');
      // What it waited for stands until the next plan says otherwise.
      if (unsettled.length > 0 || here.every((r) => r.leaving)) status.waiting = [];
      if (unsettled.length > 0) {
        show(status.phase, `waits for ${unsettled.map((r) => `${r.id} (${r.state})`).join(', ')} to settle`);
      } else if (here.some((r) => !r.leaving)) {
        if (await beginRound()) {
          blockedSince = null;
          lookMs = FIRST_LOOK_MS;
          continue;
        }
        if (rounds.size === 0 && status.waiting.some((w) => !PASSING.has(w.on))) {
          blockedSince ??= Date.now();
          if (Date.now() - blockedSince >= BLOCKED_AFTER_MS) throw new Stopped('blocked', wordsOf(status.waiting));
        }
        if (status.waiting.length > 0) show('replacing', `waiting: ${wordsOf(status.waiting)}`);
      } else {
        const open = status.open.reduce((sum, o) => sum + o.open, 0);
        show('draining', `${counted(here.length, 'replica')} leaving; ${counted(open, 'request')} open there${lateness()}`);
      }
      if (rounds.size === 0 && workflowInfo().historyLength > HISTORY_LIMIT) await continueAsNew<typeof drainNode>({ ...input, state });
      const hasEnded = await condition(() => ended > endedBefore, lookMs);
      const lastLookMs = rounds.size > 0 ? LAST_LOOK_MOVING_MS : LAST_LOOK_MS;
      lookMs = hasEnded ? FIRST_LOOK_MS : Math.min(lastLookMs, lookMs * LOOK_GROWTH);
    }
  }

  /** Plans for what is not leaving yet, and begins the moves that the budget lets through. @returns whether there are any */
  async function beginRound(): Promise<boolean> {
    const planId = uuid4();
    const plan = await planning.planPlacement.executeWithOptions({ summary: `empty ${host}` }, [
      { planId, purpose: 'drain', subject: host, maxUnavailable: input.maxUnavailable ?? 0 },
    ]);
    status.planId = plan.planId;
    status.waiting = plan.waiting;
    if (plan.places.length + plan.retires.length === 0) return false;
    const applied = await planning.applyPlan(planId);
    status.waiting = [...plan.waiting, ...applied.trimmed];
    if (applied.reserved.length + applied.retiring.length === 0) return false;
    await control.setHostService(host, 'draining', plan.summary);
    show('replacing', plan.summary);
    const untilMs = onDeadline === 'migrate' ? deadlineMs : null;
    const round = executeMoves(plan, applied, `drain of ${host}`, untilMs).then(({ done, failed }) => {
      rounds.delete(round);
      ended += 1;
      state.moved.push(...done);
      lastFailure = failed.join('; ');
      state.failedRounds = done.length > 0 ? 0 : state.failedRounds + Math.min(1, failed.length);
    });
    rounds.add(round);
    return true;
  }

  function lateness(): string {
    if (deadlineMs === null || Date.now() < deadlineMs) return '';
    return `; the deadline of ${deadlineSeconds} s is over, ${onDeadline === 'wait' ? 'and they are waited for' : 'and they are being ended'}`;
  }
}

async function abortAt(deadlineMs: number, abort: () => void): Promise<void> {
  try {
    await sleep(Math.max(0, deadlineMs - Date.now()));
  } catch {
    return; // the drain was cancelled before
  }
  abort();
}

function wordsOf(waiting: readonly Refusal[]): string {
  return waiting.map(inWords).join('. ');
}
