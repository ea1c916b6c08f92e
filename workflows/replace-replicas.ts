/**
 * Makes good what was lost: replicas of lost hosts, and those that failed for good. Keyed `replace-cluster`: the planner looks at the whole
 * fleet, so that one run is the lock. Each round plans anew and moves as much as the disruption budget allows, the new replica before the
 * lost one leaves the routing table; a host that returns in the middle keeps what has not moved yet. What does not start goes elsewhere at once;
 * where nothing helps it looks again at growing intervals, for an hour.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { inWords } from '../core/domain/refusal.ts';
import { reasonOf } from './compensation.ts';
import { type ReplaceInput, type ReplaceProgress, type ReplaceResult, replaceSignal, workflowIds } from './messages.ts';
import { executeMoves } from './moves.ts';
import { control, planning } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;
/** So long without moving anything; then it is left to the next rebalance, and to whoever asks again. */
const GIVE_UP_AFTER_MS = 60 * 60_000;
/** So often what does not start is tried elsewhere at once; after that the fault is not the place's. */
const TRIES_AT_ONCE = 3;
const HISTORY_LIMIT = 1000;

export async function replaceReplicas({ reason, avoid, soFar }: ReplaceInput): Promise<ReplaceResult> {
  const progress: ReplaceProgress = soFar ?? { replaced: 0, idle: 0, idleSinceMs: Date.now() };
  const places = [...avoid];
  let tried: ReplaceInput['avoid'] = [];
  let why = reason;
  let asked = 1;
  setHandler(replaceSignal, (more) => {
    asked += 1;
    why = more.reason;
    places.push(...more.avoid);
  });
  await control.abandonMoves('replace', 'cluster'); // of a run that was cut off
  for (let seen = 0; ; ) {
    if (workflowInfo().historyLength > HISTORY_LIMIT)
      await continueAsNew<typeof replaceReplicas>({ reason: why, avoid: places, soFar: progress });
    seen = asked;
    const round = await moveSome({ reason: why, avoid: [...places, ...tried] });
    note(progress, round);
    if (round.waiting.length === 0 && round.planned === 0) {
      if (asked > seen) continue;
      return end({ outcome: progress.replaced > 0 ? 'replaced' : 'nothing-to-do', reason: why, replaced: progress.replaced });
    }
    const told = [round.summary, ...round.waiting].join('\n- ');
    setCurrentDetails(`**${progress.replaced}** replaced. ${told}`);
    if (round.moved > 0) continue;
    tried.push(...round.failed);
    if (round.failed.length > 0 && progress.idle < TRIES_AT_ONCE) continue;
    if (Date.now() - progress.idleSinceMs >= GIVE_UP_AFTER_MS)
      return end({ outcome: 'waiting', reason: round.waiting.join('; '), replaced: progress.replaced });
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (progress.idle - 1));
    setCurrentDetails(`**${progress.replaced}** replaced; looks again in ${waitMs / 1000} s. ${told}`);
    await condition(() => asked > seen, waitMs);
    // Where nothing else is left, it may start there by now.
    if (round.planned === 0) tried = [];
  }
}

function note(progress: ReplaceProgress, { moved }: Round): void {
  progress.replaced += moved;
  if (moved > 0) Object.assign(progress, { idle: 0, idleSinceMs: Date.now() });
  else progress.idle += 1;
}

interface Round {
  planned: number;
  moved: number;
  /** Where what was to be placed did not start. */
  failed: ReplaceInput['avoid'];
  /** What it waits for, and what failed, one line each. */
  waiting: string[];
  summary: string;
}

async function moveSome({ reason, avoid }: ReplaceInput): Promise<Round> {
  const planId = uuid4();
  const plan = await planning.planPlacement.executeWithOptions({ summary: reason }, [
    { planId, purpose: 'replace', subject: 'cluster', ...(avoid.length > 0 && { avoid }) },
  ]);
  const planned = plan.places.length + plan.retires.length;
  const waiting = plan.waiting.map(inWords);
  if (planned === 0) return { planned, moved: 0, failed: [], waiting, summary: plan.summary };
  const applied = await planning.applyPlan(planId);
  const { done, failed } = await executeMoves(plan, applied, 'made good');
  const serving = new Set(done.map((d) => d.placed?.replicaId));
  return {
    planned,
    moved: done.length,
    failed: plan.places
      .filter((p) => applied.reserved.includes(p.replicaId) && !serving.has(p.replicaId))
      .map(({ host, accelerators }) => ({ host, accelerators })),
    waiting: [...waiting, ...applied.trimmed.map((t) => t.message), ...failed],
    summary: plan.summary,
  };
}

function end(result: ReplaceResult): ReplaceResult {
  upsertSearchAttributes([{ key: searchAttributes.outcome, value: result.outcome }]);
  setCurrentDetails(`**${result.outcome}**: ${result.replaced} replaced; ${result.reason}`);
  return result;
}

/** Starts a replacement, or tells the one that runs that there is more to do. Whoever asks goes on, whatever comes of it. */
export async function askForReplacement(reason: string, avoid: ReplaceInput['avoid'] = []): Promise<void> {
  const start = () =>
    startChild(replaceReplicas, {
      workflowId: workflowIds.replace,
      args: [{ reason, avoid }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
    });
  for (;;) {
    try {
      await start();
      return;
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return log.error('no replacement', { reason, error: reasonOf(error) });
    }
    try {
      await getExternalWorkflowHandle(workflowIds.replace).signal(replaceSignal, { reason, avoid });
      return;
    } catch {
      // It ended between the two.
    }
  }
}
