/** What the monitor remembers from one look to the next: plain JSON, small, and all there is of its state. */
import type { ActiveCorrection, CorrectionChange, Finding } from './correction.ts';
import type { Evidence } from './evidence.ts';
import type { ShapeMemory } from './shape-step-time.ts';

export interface MonitorMemory {
  /** Time of the last look; null before the first. */
  lookedAtMs: number | null;
  /** In force. `recalibrate-lengths` only while on trial; a reshape or a rebalance is asked for and not kept here. */
  active: ActiveCorrection[];
  /** Finding → how many looks in a row it was made, and how far off it was at the last. */
  streaks: Record<string, { looks: number; deviation: number }>;
  /** Model and class → how many answers a window has of late. */
  answers: Record<string, number>;
  /** Subject and kind of change → when one last began or ended. */
  changedAtMs: Record<string, number>;
  /** Subject and kind of change → none begins before. */
  restsUntilMs: Record<string, number>;
  replicas: Record<string, ReplicaMemory>;
  /** Of shapes whose step time was calibrated, by `shapeKey`; `followShapes` has the rest of their story. */
  shapes: Record<string, ShapeMemory>;
}

export interface ReplicaMemory {
  /** Highest KV use of late as its engine said; fades by a tenth with each look. */
  peakKvUsage: number;
  /** When each end for want of memory was first seen. */
  exitsAtMs: number[];
  /** Time without trouble while its limit was felt, since the limit last changed. */
  quietMs: number;
  /** So much of it before a limit is loosened; doubles whenever trouble comes back after that. */
  patienceMs: number;
  loosenedAtMs: number | null;
  /** Time that it was given nothing, corrected to be slow, while others of its model were. */
  passedOverMs: number;
  /** So much of it before the correction is taken back to see; doubles whenever it is needed again after that. */
  probeAfterMs: number;
  probedAtMs: number | null;
  seenAtMs: number;
}

export const emptyMemory: Readonly<MonitorMemory> = {
  lookedAtMs: null,
  active: [],
  streaks: {},
  answers: {},
  changedAtMs: {},
  restsUntilMs: {},
  replicas: {},
  shapes: {},
};

/** Trouble that comes back within so long after a limit was loosened came of that. */
export const FORGET_MS = 30 * 60_000;
/** An engine that ended twice within so long is not helped by a limit alone. */
export const EXITS_TOGETHER_MS = 10 * 60_000;
export const FIRST_PATIENCE_MS = 60_000;
export const FIRST_PROBE_MS = 120_000;
/** Between two looks; the rest of a longer pause was seen by nobody. */
export const MOST_SEEN_MS = 60_000;
const FADES = 0.9;

/** A memory kept by an earlier version may lack what came later. */
export const replicaMemory = (memory: MonitorMemory, replicaId: string): ReplicaMemory => ({
  peakKvUsage: 0,
  exitsAtMs: [],
  quietMs: 0,
  patienceMs: FIRST_PATIENCE_MS,
  loosenedAtMs: null,
  passedOverMs: 0,
  probeAfterMs: FIRST_PROBE_MS,
  probedAtMs: null,
  seenAtMs: 0,
  ...own(memory.replicas, replicaId),
});

/** Own properties only: a replica may be called `constructor`. */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Of a change: whom it concerns and how. One of the same key is in force at a time. */
export function keyOf(change: CorrectionChange): string {
  switch (change.kind) {
    case 'recalibrate-lengths':
      return `${change.kind} ${lengthsSubject(change.model, change.class)}`;
    case 'recalibrate-step-time':
    case 'limit-admission':
      return `${change.kind} replica ${change.replicaId}`;
    case 'reshape-engine':
      return `${change.kind} deployment ${change.deployment}`;
    case 'rebalance':
      return `${change.kind} model ${change.model}`;
    case 'carry-step-time':
      return `${change.kind} ${change.model} on ${change.tensorParallel} ${change.accelerator}`;
  }
}

export const lengthsSubject = (model: string, sloClass: string | null) =>
  sloClass === null ? `model ${model}` : `model ${model} class ${sloClass}`;
export const replicaSubject = (replicaId: string) => `replica ${replicaId}`;
export const streakOf = ({ kind, subject }: Finding) => `${kind} ${subject}`;

export function inForce<K extends CorrectionChange['kind']>(
  memory: MonitorMemory,
  kind: K,
  replicaId: string,
): Extract<CorrectionChange, { kind: K }> | null {
  const active = memory.active.find(({ change }) => change.kind === kind && 'replicaId' in change && change.replicaId === replicaId);
  return (active?.change as Extract<CorrectionChange, { kind: K }> | undefined) ?? null;
}

/** Share of the nominal KV cache, and of the requests, that a replica may have now. */
export function admissionOf(memory: MonitorMemory, replicaId: string): { kvShare: number; maxInFlightShare: number } {
  return inForce(memory, 'limit-admission', replicaId) ?? { kvShare: 1, maxInFlightShare: 1 };
}

/**
 * The memory at the time of this look; null where the look tells nothing. A clock that went back takes all that was remembered of the
 * future with it, so that nothing waits for a time that will not come.
 */
export function remembered(
  memory: MonitorMemory,
  { atMs, windowMs }: Pick<Evidence, 'atMs' | 'windowMs'>,
): { memory: MonitorMemory; isUsable: boolean } {
  const isTime = Math.abs(atMs) <= Number.MAX_SAFE_INTEGER && windowMs > 0 && windowMs <= Number.MAX_SAFE_INTEGER;
  if (!isTime) return { memory, isUsable: false };
  if (memory.lookedAtMs === null || atMs > memory.lookedAtMs) return { memory, isUsable: true };
  if (atMs === memory.lookedAtMs) return { memory, isUsable: false };
  const backMs = memory.lookedAtMs - atMs;
  const moved = (times: Record<string, number>) => Object.fromEntries(Object.entries(times).map(([key, time]) => [key, time - backMs]));
  const rebased: MonitorMemory = {
    lookedAtMs: atMs,
    active: memory.active.map((correction) => ({ ...correction, sinceMs: correction.sinceMs - backMs })),
    streaks: {},
    answers: memory.answers,
    shapes: memory.shapes,
    changedAtMs: moved(memory.changedAtMs),
    restsUntilMs: moved(memory.restsUntilMs),
    replicas: Object.fromEntries(
      Object.entries(memory.replicas).map(([id, replica]) => [
        id,
        {
          ...replica,
          exitsAtMs: replica.exitsAtMs.map((time) => time - backMs),
          loosenedAtMs: replica.loosenedAtMs === null ? null : replica.loosenedAtMs - backMs,
          probedAtMs: replica.probedAtMs == null ? null : replica.probedAtMs - backMs,
          seenAtMs: replica.seenAtMs - backMs,
        },
      ]),
    ),
  };
  return { memory: rebased, isUsable: false };
}

/** Of the last looks, the latest first in weight. */
const NEW_WINDOW_WEIGHT = 0.3;

/** What this look adds to what is known of each class: read the old value before. */
export function withAnswersSeen(memory: MonitorMemory, { answers }: Evidence): MonitorMemory {
  const seen = answers.map((a): [string, number] => {
    const subject = lengthsSubject(a.model, a.class);
    const before = own(memory.answers, subject) ?? a.answers;
    return [subject, before + NEW_WINDOW_WEIGHT * (a.answers - before)];
  });
  return { ...memory, answers: Object.fromEntries(seen) };
}

/** What this look adds to what is known of each replica. Ends for want of memory count once, however many windows they are in. */
export function withReplicasSeen(memory: MonitorMemory, { atMs, windowMs, replicas }: Evidence): MonitorMemory {
  const seen = Object.fromEntries(
    replicas.map((r): [string, ReplicaMemory] => {
      const before = replicaMemory(memory, r.replicaId);
      const counted = before.exitsAtMs.filter((time) => time > atMs - windowMs).length;
      const isNew = Math.min(10, Math.max(0, r.outOfMemoryExits - counted));
      return [
        r.replicaId,
        {
          ...before,
          peakKvUsage: Math.max(r.kvUsage ?? 0, before.peakKvUsage * FADES),
          exitsAtMs: [...before.exitsAtMs.filter((time) => time > atMs - FORGET_MS), ...new Array<number>(isNew).fill(atMs)],
          seenAtMs: atMs,
        },
      ];
    }),
  );
  const stillKnown = Object.entries(memory.replicas).filter(([, replica]) => replica.seenAtMs > atMs - FORGET_MS);
  return { ...memory, replicas: { ...Object.fromEntries(stillKnown), ...seen } };
}
