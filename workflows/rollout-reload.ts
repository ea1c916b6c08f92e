/** Strategy `reload`: the engines of the old revision go over to the new one where they stand, one of them first, the others when it has proven good. */
import { ApplicationFailure, executeChild, ParentClosePolicy, setHandler } from '@temporalio/workflow';
import type { ReloadTarget, RolloutRecord } from '../activities/index.ts';
import { DEFAULT_SOAK_SECONDS } from '../core/domain/rollout.ts';
import type { Compensations } from './compensation.ts';
import { weightsProgressSignal, workflowIds } from './messages.ts';
import { control, fetchingOnHost } from './proxies.ts';
import { reloadReplica } from './reload-replica.ts';
import { holdAndJudge, LEAST_BEFORE_MS } from './rollout-canary.ts';
import { waitOrGiveUp } from './rollout-placing.ts';
import type { StageBoard } from './stage-board.ts';

/** Each serves more slowly while it loads. */
const AT_ONCE = 4;

/** Waits until they can be reloaded. @returns none where no earlier revision is there. @throws ApplicationFailure `refused` where they never can */
export async function reloadTargets(board: StageBoard, { id }: RolloutRecord): Promise<ReloadTarget[]> {
  for (;;) {
    const { targets, refusal } = await control.checkReload(id);
    if (!refusal) return targets;
    const why = [refusal.message, refusal.nearest].filter(Boolean).join('; use instead: ');
    await waitOrGiveUp(board, refusal, why, { forGood: refusal.kind === 'refused' });
  }
}

/** Every stage from `fetch` to `calibrate`. @returns ids of the replicas that serve the new revision now */
export async function reloadAll(
  board: StageBoard,
  undo: Compensations,
  rollout: RolloutRecord,
  targets: readonly ReloadTarget[],
): Promise<string[]> {
  const { revision } = rollout;
  setHandler(weightsProgressSignal, (line) => board.note('fetch', line));
  await board.run(
    'fetch',
    () => Promise.all(targets.map(fetchWeights)),
    (lines) => lines.join('; '),
  );
  const begun: Promise<void>[] = [];
  const reload = ({ replicaId }: ReloadTarget) => {
    const child = executeChild(reloadReplica, {
      workflowId: workflowIds.reload(replicaId),
      args: [{ replicaId, revision, reason: `revision ${revision} takes over` }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    });
    begun.push(child);
    return child;
  };
  undo.register('load the old revision again', async () => {
    await Promise.allSettled(begun); // each that failed has done so itself
    await bringBack(rollout, targets);
  });
  const [first, ...others] = targets as [ReloadTarget, ...ReloadTarget[]];
  await board.run(
    'canary',
    async () => {
      const beforeMs = await control.currentTimeMs();
      await reload(first);
      return `${first.replicaId}: ${await judge(board, rollout, beforeMs, targets.length)}`;
    },
    (detail) => detail,
  );
  const done = [first.replicaId];
  if (others.length === 0) await board.skip('start', `${first.replicaId} is the only replica`);
  else {
    await board.run(
      'start',
      async () => {
        for (const left = [...others]; left.length > 0; ) {
          await board.untilGoing();
          const some = left.splice(0, AT_ONCE);
          await Promise.all(some.map(reload));
          done.push(...some.map((t) => t.replicaId));
          board.note('start', `${done.length} of ${targets.length} engines serve revision ${revision}`);
        }
      },
      () => `all ${targets.length} engines serve revision ${revision}`,
    );
  }
  await board.skip(
    'calibrate',
    'the engines serve meanwhile, other requests would be timed with it: what is known of their shape stays in force',
  );
  return done;
}

function fetchWeights({ host, weights }: ReloadTarget): Promise<string> {
  return fetchingOnHost(host).fetchWeights.executeWithOptions({ summary: `${weights.source} to ${host}` }, [weights]);
}

/** Beside those that still serve the old revision; a sole replica with what it did before. */
async function judge(board: StageBoard, { deployment, revision, spec }: RolloutRecord, beforeMs: number, of: number): Promise<string> {
  const soakSeconds = spec.rollout.soakSeconds ?? DEFAULT_SOAK_SECONDS;
  const sinceMs = await control.currentTimeMs();
  const before = { sinceMs: beforeMs - Math.max(LEAST_BEFORE_MS, 1000 * soakSeconds), untilMs: beforeMs };
  const window = { deployment, revision, sinceMs, ...(of > 1 ? { share: 1 / of } : { share: null, before }) };
  return holdAndJudge(board, 'the first engine', { window, least: 1 }, soakSeconds, (line) => board.note('canary', line));
}

async function bringBack({ deployment, revision }: RolloutRecord, targets: readonly ReloadTarget[]): Promise<void> {
  const reloaded = new Set((await control.livingReplicas(deployment, revision, 'this')).map((r) => r.id));
  const returning = targets.filter((t) => reloaded.has(t.replicaId));
  const ended = await Promise.allSettled(
    returning.map(({ replicaId, revision }) =>
      executeChild(reloadReplica, {
        workflowId: workflowIds.reload(replicaId),
        args: [{ replicaId, revision, reason: 'the rollout was rolled back', isReturn: true }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      }),
    ),
  );
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  const serving = await control.servingReplicas(deployment, revision, 'others');
  const silent = (await control.livingReplicas(deployment, revision, 'others')).filter((r) => !serving.includes(r.id));
  const missing = silent.filter(({ id }) => targets.some((t) => t.replicaId === id));
  if (missing.length > 0) throw ApplicationFailure.nonRetryable(`not serving: ${missing.map((r) => r.id).join(', ')}`, 'refused');
}
