/** What live steps say of shapes: rows of corrections, and profiles that planning reads, in the transaction of the look. */
import type { Evidence } from '../../core/profiler/monitor/evidence.ts';
import { type CarryOver, followShapes, type LiveReplica, type ShapeMemory, shapeKey } from '../../core/profiler/monitor/shape-step-time.ts';
import type { Transaction } from '../../db/client.ts';
import { correctionByMonitorId, insertCorrection, updateCorrection } from '../../db/queries/monitoring-corrections.ts';
import { stepTimeProfiles } from '../../db/queries/profiler.ts';
import { replaceStepTime, replicaStepTimes } from '../../db/queries/shape-step-times.ts';
import { describeChange } from './wording.ts';

type Shapes = Record<string, ShapeMemory>;

/** As they were when the evidence was gathered: before this look changes any. */
export async function liveReplicas(tx: Transaction, { replicas }: Evidence): Promise<LiveReplica[]> {
  const seen = new Map(replicas.map((replica) => [replica.replicaId, replica]));
  return (await replicaStepTimes(tx)).map(({ replicaId, ...shape }) => {
    const { stepTimeRatio = null, stepTimeFit = null } = seen.get(replicaId) ?? {};
    return { ...shape, stepTimeRatio, stepTimeFit };
  });
}

/** @param times of this look, and of the one before */
export async function carryOverStepTimes(
  tx: Transaction,
  shapes: Shapes,
  replicas: readonly LiveReplica[],
  times: { atMs: number; sinceMs: number | null },
): Promise<{ shapes: Shapes; done: string[] }> {
  const followed = followShapes(shapes, { profiles: await stepTimeProfiles(tx), replicas, ...times });
  const done: string[] = [];
  for (const { correctionId, reason } of followed.end) {
    const correction = await correctionByMonitorId(tx, correctionId);
    if (!correction) continue;
    await updateCorrection(tx, correction.id, { state: 'undone', undoReason: reason, undoneAt: new Date(times.atMs) });
    done.push(`undone, ${describeChange(correction.change)}: ${reason}`);
  }
  for (const carried of followed.carryOver) {
    if (!(await replaceStepTime(tx, carried.profile, carried.coefficients)) || carried.isAsCalibrated) continue;
    done.push(await record(tx, carried));
  }
  return { shapes: followed.shapes, done };
}

/** On no trial: it is measured already, and followed from here on. */
async function record(tx: Transaction, { profile, scale, factors, replicas, message, correctionId }: CarryOver): Promise<string> {
  const { model, accelerator, tensorParallel } = profile;
  const change = { kind: 'carry-step-time' as const, model, accelerator, tensorParallel, scale, factors };
  const action = describeChange(change);
  await insertCorrection(tx, {
    finding: { kind: 'step-time', subject: `shape ${shapeKey(profile)}`, message, figures: { scale, replicas, ...factors } },
    change: { ...change, correctionId, pending: null, before: null, rolloutId: null },
    action,
    attainmentBefore: null,
    failure: null,
  });
  const { id } = (await correctionByMonitorId(tx, correctionId))!;
  await updateCorrection(tx, id, { state: 'kept' });
  return `${action}: ${message}`;
}
