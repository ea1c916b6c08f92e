/**
 * What live steps say of a shape (model, accelerator kind, width), carried over to its calibrated profile, by which placement plans and new
 * replicas begin. One replica may be slow for reasons of its own; where several agree for a while, or the only one stays as it is for long, it
 * is the shape. Both ways, and back to the calibration when steps take again what it says.
 */

import { quantile } from '../../domain/statistics.ts';
import { multiplied, type StepTimeCoefficients, type StepTimeProfile } from '../../domain/step-time.ts';
import { areSameCoefficients, decodeStepRatio } from '../shapes.ts';
import { percent, rounded } from './detector.ts';
import { MOST_SEEN_MS } from './memory.ts';

/** What is remembered of a shape. */
export interface ShapeMemory {
  /** As its calibration run found it. */
  calibrated: StepTimeCoefficients;
  /** What its profile says now: so many times that. */
  scale: number;
  /** What live steps say, smoothed, and for how long they have said so; null where nothing was seen yet. */
  seen: { scale: number; forMs: number } | null;
  /** The correction in force for it; null where it is as calibrated. */
  correctionId: string | null;
}

/** A replica as gateways measure it. */
export interface LiveReplica {
  model: string;
  accelerator: string;
  tensorParallel: number;
  /** By which gateways reckon now, corrections included. */
  coefficients: StepTimeCoefficients;
  /** Measured over reckoned step time; null where too few steps were seen. */
  stepTimeRatio: number | null;
}

export interface CarryOver {
  profile: StepTimeProfile;
  /** In the place of those of `profile`. */
  coefficients: StepTimeCoefficients;
  /** Of the calibrated. */
  scale: number;
  /** Replicas that say so. */
  replicas: number;
  message: string;
  correctionId: string;
}

export interface Followed {
  shapes: Record<string, ShapeMemory>;
  /** Corrections that are over, and why: before what is carried over. */
  end: { correctionId: string; reason: string }[];
  carryOver: CarryOver[];
}

/** A profile is never moved further from its calibration. */
const LEAST_SCALE = 0.5;
const MOST_SCALE = 2;
/** Nearer than this is the same. */
const ALIKE = Math.log(1.12);
/** Of those measured, this share has to be alike, and at least two. */
const MAJORITY = 2 / 3;
const SEVERAL_FOR_MS = 120_000;
const ONE_FOR_MS = 900_000;
const SMOOTHING = 0.2;

export const shapeKey = ({ model, accelerator, tensorParallel }: Pick<StepTimeProfile, 'model' | 'accelerator' | 'tensorParallel'>) =>
  `${model} on ${tensorParallel} ${accelerator}`;

/** One look. @param sinceMs the look before; null where this is the first */
export function followShapes(
  known: Readonly<Record<string, ShapeMemory>>,
  {
    profiles,
    replicas,
    atMs,
    sinceMs,
  }: { profiles: readonly StepTimeProfile[]; replicas: readonly LiveReplica[]; atMs: number; sinceMs: number | null },
): Followed {
  const followed: Followed = { shapes: {}, end: [], carryOver: [] };
  const elapsedMs = sinceMs === null ? 0 : Math.max(0, Math.min(MOST_SEEN_MS, atMs - sinceMs));
  for (const profile of profiles) {
    if (profile.source !== 'calibrated') continue;
    const key = shapeKey(profile);
    const before = Object.hasOwn(known, key) ? known[key]! : null;
    // Another is a new calibration's.
    const isOurs = before && areSameCoefficients(multiplied(before.calibrated, before.scale), profile.coefficients);
    const memory = isOurs ? before : fresh(profile);
    if (before?.correctionId && memory !== before)
      followed.end.push({ correctionId: before.correctionId, reason: 'it was calibrated anew' });
    const live = replicas.filter((r) => shapeKey(r) === key);
    followed.shapes[key] = followOne(memory, profile, live, { atMs, elapsedMs }, followed);
  }
  return followed;
}

function followOne(
  memory: ShapeMemory,
  profile: StepTimeProfile,
  live: readonly LiveReplica[],
  { atMs, elapsedMs }: { atMs: number; elapsedMs: number },
  { end, carryOver }: Followed,
): ShapeMemory {
  const found = agreed(memory.calibrated, live);
  if (!found) return memory;
  const seen = withSeen(memory.seen, found.scale, elapsedMs);
  const scale = rounded(Math.max(LEAST_SCALE, Math.min(MOST_SCALE, seen.scale)));
  const isSure = seen.forMs >= (found.replicas > 1 ? SEVERAL_FOR_MS : ONE_FOR_MS);
  if (!isSure || areAlike(scale, memory.scale)) return { ...memory, seen };

  const isAsCalibrated = areAlike(scale, 1);
  const next = isAsCalibrated ? 1 : scale;
  const message = `${shapeKey(profile)}: steps take ${percent(seen.scale)} of what calibration found, say ${found.replicas} of ${found.measured} replicas`;
  if (memory.correctionId) {
    end.push({
      correctionId: memory.correctionId,
      reason: isAsCalibrated ? 'steps take again what calibration found' : `replaced: ${message}`,
    });
  }
  const correctionId = `step-time ${shapeKey(profile)} @${atMs}`;
  const coefficients = multiplied(memory.calibrated, next);
  carryOver.push({ profile, coefficients, scale: next, replicas: found.replicas, message, correctionId });
  return { ...memory, scale: next, seen, correctionId: isAsCalibrated ? null : correctionId };
}

/** What most of the measured replicas say, or the only one; null where nobody says anything, or each something else. */
function agreed(
  calibrated: StepTimeCoefficients,
  live: readonly LiveReplica[],
): { scale: number; replicas: number; measured: number } | null {
  const scales = live.flatMap(({ coefficients, stepTimeRatio }) => {
    const scale = stepTimeRatio === null ? 0 : stepTimeRatio * decodeStepRatio(coefficients, calibrated);
    return scale > 0 && Number.isFinite(scale) ? [scale] : [];
  });
  if (scales.length === 0) return null;
  const middle = quantile(scales, 0.5);
  const alike = scales.filter((scale) => areAlike(scale, middle));
  if (alike.length < MAJORITY * scales.length || (alike.length < 2 && scales.length > 1)) return null;
  return { scale: quantile(alike, 0.5), replicas: alike.length, measured: scales.length };
}

function withSeen(seen: ShapeMemory['seen'], scale: number, elapsedMs: number): NonNullable<ShapeMemory['seen']> {
  if (!seen || !areAlike(scale, seen.scale)) return { scale, forMs: 0 };
  return { scale: seen.scale * (scale / seen.scale) ** SMOOTHING, forMs: seen.forMs + elapsedMs };
}

function fresh({ coefficients }: StepTimeProfile): ShapeMemory {
  return { calibrated: coefficients, scale: 1, seen: null, correctionId: null };
}

function areAlike(a: number, b: number): boolean {
  return Math.abs(Math.log(a / b)) <= ALIKE;
}
