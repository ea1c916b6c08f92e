/** The new revision takes traffic beside the old one, or in its place, and is judged by what comes of it. A pause holds the step, not the judging. */
import { ApplicationFailure, CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { RolloutRecord } from '../activities/index.ts';
import { FULL_WEIGHT } from '../core/domain/replica.ts';
import { DEFAULT_SOAK_SECONDS } from '../core/domain/rollout.ts';
import { canaryWeights } from './canary.ts';
import { control, controlWaiting, onHost } from './proxies.ts';
import type { StageBoard } from './stage-board.ts';

/** How long a new revision whose engines ended may take to serve again before it is given up. */
const SERVING_WAIT_MS = 3 * 60_000;
/** The figures of a step are shown after so long, then each time that half as much again has passed. */
const FIRST_FIGURES_MS = 30_000;
/** Longest that one activity watches. */
const LONGEST_WATCH_MS = 3_600_000;
const NO_REVISION = 0;
/** What served before is compared by at least so much of its time. */
export const LEAST_BEFORE_MS = 5 * 60_000;

type Watched = Omit<Parameters<typeof controlWaiting.watchCanary>[0], 'sort' | 'lookingSinceMs' | 'forMs'>;
interface Judged {
  window: Watched;
  /** So many replicas of the new revision serve, or it goes no further. */
  least: number;
}
type Verdict = Awaited<ReturnType<typeof controlWaiting.watchCanary>>;

/** A rising share of the traffic for the new revision, each step held for its pause and judged. */
export async function shiftTraffic(board: StageBoard, rollout: RolloutRecord, placed: readonly string[]): Promise<void> {
  const { deployment, revision, spec } = rollout;
  const { steps } = spec.rollout;
  if ((await servingBefore(rollout)).length === 0)
    return board.skip('canary', 'no earlier revision serves: there is nothing to compare with');
  if (steps.length === 0) return board.skip('canary', 'the deployment has no canary steps');
  await board.run(
    'canary',
    async () => {
      const lines: string[] = [];
      for (const { weight, pauseSeconds } of steps) {
        await board.untilGoing();
        const before = await servingBefore(rollout);
        const sinceMs = await control.currentTimeMs();
        await control.routeReplicas(canaryWeights(weight, await ours(rollout, placed), before), `canary at ${weight} %`);
        const window = { deployment, revision, sinceMs, share: before.length > 0 ? weight / 100 : null };
        const say = (line: string) => board.note('canary', [...lines, `${weight} %: ${line}`].join('; '));
        const judged = { window, least: least(rollout, placed) };
        lines.push(`${weight} %: ${await holdAndJudge(board, `canary at ${weight} %`, judged, pauseSeconds, say)}`);
      }
      return lines.join('; ');
    },
    (detail) => detail,
  );
}

/** All traffic to the new revision, at once; `blue-green` keeps the old one beside it until that has proven good. @returns one line */
export async function switchTraffic(board: StageBoard, rollout: RolloutRecord, placed: readonly string[]): Promise<string> {
  const { deployment, revision, spec } = rollout;
  if (placed.length > 0) await untilServing(rollout, least(rollout, placed));
  const others = await control.servingReplicas(deployment, revision, 'others');
  const judged = spec.rollout.strategy === 'blue-green' && others.length > 0;
  const nowMs = judged ? await control.currentTimeMs() : 0;
  const weights = [...(await ours(rollout, placed)).map((id) => [id, FULL_WEIGHT]), ...others.map((id) => [id, 0])];
  await control.routeReplicas(Object.fromEntries(weights), `revision ${revision} promoted`);
  const takesAll = `revision ${revision} takes all traffic`;
  if (!judged) return takesAll;
  const soakSeconds = spec.rollout.soakSeconds ?? DEFAULT_SOAK_SECONDS;
  const before = { sinceMs: nowMs - Math.max(LEAST_BEFORE_MS, 1000 * soakSeconds), untilMs: nowMs };
  const window = { deployment, revision, sinceMs: nowMs, before, share: null };
  const say = (line: string) => board.note('promote', `${takesAll}; ${line}`);
  const found = await holdAndJudge(board, 'after the switch', { window, least: least(rollout, placed) }, soakSeconds, say);
  return `${takesAll}; ${found}`;
}

/** What served when it began. Whatever else is there was left behind by another rollout, and gets nothing. */
export function servingBefore({ deployment, revision, fromRevision }: RolloutRecord): Promise<string[]> {
  return control.servingReplicas(deployment, fromRevision === revision ? NO_REVISION : (fromRevision ?? NO_REVISION), 'this');
}

/**
 * Holds for so long, looking all the while: what is clearly bad ends it at once. At the end it goes on with what is good; without evidence
 * it waits for as long again at most, then goes on all the same.
 * @returns one line with the figures
 * @throws ApplicationFailure `refused`, with the figures, where the new revision is bad
 */
export async function holdAndJudge(
  board: StageBoard,
  what: string,
  { window, least }: Judged,
  pauseSeconds: number,
  say: (line: string) => void,
): Promise<string> {
  const pauseMs = 1000 * pauseSeconds;
  const beganMs = board.activeMs();
  const elapsedMs = () => board.activeMs() - beganMs;
  let dueSinceMs: number | null = null;
  await board.show(`${what} for ${pauseSeconds} s`);
  for (;;) {
    const isDue = !board.isHeld && elapsedMs() >= pauseMs;
    if (isDue && dueSinceMs === null) {
      await untilServing(window, least);
      dueSinceMs = Date.now();
    }
    const leftMs = (isDue ? 2 : 1) * pauseMs - elapsedMs();
    const untilFiguresMs = Math.min(LONGEST_WATCH_MS, Math.max(FIRST_FIGURES_MS, elapsedMs() / 2));
    const forMs = board.isHeld ? LONGEST_WATCH_MS : Math.max(0, Math.min(leftMs, untilFiguresMs));
    const looks = isDue
      ? { sort: 'due' as const, lookingSinceMs: dueSinceMs! }
      : { sort: 'during' as const, lookingSinceMs: window.sinceMs };
    const found = await watchUnlessHeld(board, { ...window, ...looks, forMs });
    if (!found) continue; // it was paused or resumed meanwhile
    say(`${found.verdict}, ${found.why}`);
    if (found.verdict === 'bad') throw ApplicationFailure.nonRetryable(`${what}: ${found.why}`, 'refused');
    if (isDue && found.verdict === 'good') return `good, ${found.why}`;
    if (isDue && elapsedMs() >= 2 * pauseMs) return `goes on without enough evidence after ${2 * pauseSeconds} s, ${found.why}`;
    await board.show(`${what}: ${found.verdict === 'good' ? 'good so far' : 'not enough evidence yet'}, ${found.why}`);
  }
}

/** @returns null where it was paused, or resumed, before there was a verdict */
async function watchUnlessHeld(board: StageBoard, watch: Parameters<typeof controlWaiting.watchCanary>[0]): Promise<Verdict | null> {
  const held = board.isHeld;
  const scope = new CancellationScope();
  try {
    return await scope.run(() =>
      Promise.race([controlWaiting.watchCanary(watch), condition(() => board.isHeld !== held).then(() => null)]),
    );
  } finally {
    scope.cancel();
  }
}

/** What was placed, and what a drain has meanwhile put in the place of one of them. */
async function ours({ deployment, revision }: RolloutRecord, placed: readonly string[]): Promise<string[]> {
  return [...new Set([...placed, ...(await control.servingReplicas(deployment, revision, 'this'))])];
}

/** How many of what was placed have to be there: one may have failed for good, and nothing is made good before the rollout has ended. */
function least({ spec }: RolloutRecord, placed: readonly string[]): number {
  return Math.max(1, Math.min(placed.length, spec.replicas.min));
}

/**
 * Waits until every replica of the new revision serves: one whose engine ended on the way is being started again. What does not serve
 * in time is not promoted, however good the canary looked.
 */
async function untilServing({ deployment, revision }: Pick<RolloutRecord, 'deployment' | 'revision'>, least: number): Promise<void> {
  for (const deadline = Date.now() + SERVING_WAIT_MS; ; ) {
    const replicas = await control.livingReplicas(deployment, revision, 'this');
    const ready = await Promise.all(replicas.map(({ id, host }) => onHost(host).isEngineReady(id)));
    if (replicas.length >= least && ready.every(Boolean)) return;
    const silent = replicas.filter((_, i) => !ready[i]).map((r) => `${r.id} on ${r.host}`);
    if (Date.now() >= deadline) {
      const left = replicas.length === 0 ? 'no replica is left' : `${replicas.length} replicas of ${least} are left`;
      throw ApplicationFailure.nonRetryable(`not serving: ${silent.join(', ') || left}`, 'refused');
    }
    await sleep('2s');
  }
}
