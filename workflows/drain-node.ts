/**
 * Empties a host without dropping a request. Keyed by the host (`drain-<host>`): cordon, plan replacements, make before break, stop routing,
 * wait until every gateway has acknowledged it with nothing in flight, stop the engines. Plans again until the host is empty, so that a
 * rollout that was starting there, or a fleet that changed, is met on the way. Ends with a receipt, or blocked with a typed reason and
 * the host still cordoned.
 */
import {
  CancellationScope,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertSearchAttributes,
  uuid4,
} from '@temporalio/workflow';
import type { DrainPhase, DrainReceipt } from '../core/domain/drain.ts';
import type { PlanSummary } from '../core/domain/plan.ts';
import { reasonOf } from './compensation.ts';
import { cancelDrainUpdate, type DrainNodeInput, type DrainStatus, drainStatusQuery } from './messages.ts';
import { executeMoves, type MoveOutcome } from './moves.ts';
import { control, controlBriefly, planning } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

const MOVES_AT_ONCE = 2;
/** How long a drain waits for room elsewhere before it says that it is blocked. */
const BLOCKED_AFTER_MS = 60_000;
/** So many rounds may fail to move anything before a drain gives up. */
const FAILED_ROUNDS = 3;
const LOOK_AGAIN = '2s';

export async function drainNode({ host, requestedBy }: DrainNodeInput): Promise<DrainStatus> {
  const began = Date.now();
  const status: DrainStatus = {
    host,
    phase: 'cordoned',
    reason: `asked for by ${requestedBy}`,
    planId: null,
    remaining: [],
    waiting: [],
    receipt: null,
  };
  const moved: MoveOutcome[] = [];
  const work = new CancellationScope();
  let over = false;
  const show = (phase: DrainPhase, reason: string) => {
    Object.assign(status, { phase, reason });
    upsertSearchAttributes([{ key: searchAttributes.stage, value: phase }]);
    setCurrentDetails(markdown(status, moved));
  };
  const end = (phase: DrainPhase, reason: string): DrainStatus => {
    over = true;
    show(phase, reason);
    upsertSearchAttributes([{ key: searchAttributes.outcome, value: phase }]);
    return status;
  };

  setHandler(drainStatusQuery, () => status);
  setHandler(
    cancelDrainUpdate,
    ({ by }) => {
      show(status.phase, `cancelled by ${by}`);
      work.cancel();
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
      await controlBriefly.setHostService(host, 'cordoned', status.reason);
      show('cordoned', 'takes no new work');
      let blockedSince: number | null = null;
      let failedRounds = 0;
      for (;;) {
        const here = await control.replicasOnHost(host);
        status.remaining = here.map((r) => r.id);
        if (here.length === 0) break;
        const unsettled = here.filter((r) => r.state !== 'ready' && r.state !== 'unroutable');
        if (unsettled.length > 0) {
          show(status.phase, `waits for ${unsettled.map((r) => `${r.id} (${r.state})`).join(', ')} to settle`);
          await sleep(LOOK_AGAIN);
          continue;
        }
        const round = await moveSome(host, status, show);
        moved.push(...round.done);
        if (round.done.length > 0) {
          blockedSince = null;
          failedRounds = 0;
          continue;
        }
        if (round.failed.length > 0 && ++failedRounds >= FAILED_ROUNDS) return end('failed', round.failed.join('; '));
        if (status.waiting.length > 0) {
          blockedSince ??= Date.now();
          const why = status.waiting.map((w) => [w.message, w.nearest].filter(Boolean).join('; ')).join('. ');
          if (Date.now() - blockedSince >= BLOCKED_AFTER_MS) return end('blocked', why);
          show('replacing', `waiting: ${why}`);
        }
        await sleep(LOOK_AGAIN);
      }
      const receipt = receiptOf(host, status.planId, moved, (Date.now() - began) / 1000);
      await control.recordDrained(host, receipt);
      status.receipt = receipt;
      return end(
        'drained',
        `${receipt.moved.length} replicas left in ${receipt.seconds.toFixed(1)} s, ${receipt.requestsDropped} requests dropped`,
      );
    });
  } catch (error) {
    const cancelled = isCancellation(error);
    return CancellationScope.nonCancellable(async () => {
      if (cancelled) await control.setHostService(host, 'schedulable', '');
      return end(cancelled ? 'cancelled' : 'failed', cancelled ? `${status.reason}; what had moved stays where it is` : reasonOf(error));
    });
  }
}

/** One round: plan for what is left, apply, move. */
async function moveSome(
  host: string,
  status: DrainStatus,
  show: (phase: DrainPhase, reason: string) => void,
): Promise<{ done: MoveOutcome[]; failed: string[] }> {
  const planId = uuid4();
  const plan: PlanSummary = await planning.planPlacement.executeWithOptions({ summary: `empty ${host}` }, [
    { planId, purpose: 'drain', subject: host },
  ]);
  status.planId = planId;
  status.waiting = plan.waiting;
  if (plan.places.length + plan.retires.length === 0) return { done: [], failed: [] };
  const applied = await planning.applyPlan(planId);
  await control.setHostService(host, 'draining', plan.summary);
  show('replacing', plan.summary);
  return executeMoves(plan, applied, MOVES_AT_ONCE, `drain of ${host}`);
}

function receiptOf(host: string, planId: string | null, moved: readonly MoveOutcome[], seconds: number): DrainReceipt {
  const left = moved.flatMap(({ retired, placed, seconds: took }) => (retired ? [{ retired, placed, took }] : []));
  return {
    host,
    planId,
    moved: left.map(({ retired, placed, took }) => ({
      replicaId: retired.replicaId,
      replacedBy: placed?.replicaId ?? null,
      toHost: placed?.host ?? null,
      seconds: took,
    })),
    seconds,
    requestsFinished: left.reduce((sum, { retired }) => sum + retired.requestsFinished, 0),
    requestsDropped: left.reduce((sum, { retired }) => sum + retired.requestsDropped, 0),
  };
}

function markdown(status: DrainStatus, moved: readonly MoveOutcome[]): string {
  const rows = moved.map(
    (m) =>
      `| ${m.retired?.replicaId ?? ''} | ${m.placed ? `${m.placed.replicaId} on ${m.placed.host}` : 'not needed'} | ${m.retired?.requestsFinished ?? 0} | ${m.retired?.requestsDropped ?? 0} | ${m.seconds.toFixed(1)} s |`,
  );
  const table = rows.length > 0 ? `\n\n| left | replaced by | finished | dropped | took |\n|---|---|---|---|---|\n${rows.join('\n')}` : '';
  const remaining = status.remaining.length > 0 ? `\n\nStill here: ${status.remaining.map((id) => `\`${id}\``).join(', ')}.` : '';
  return `Drain of **${status.host}**: *${status.phase}*, ${status.reason}${table}${remaining}`;
}
