/**
 * What live steps say of a shape (model, accelerator kind, width), carried over to its calibrated profile, by which placement plans and new
 * replicas begin. One replica may be slow for reasons of its own; where several agree for a while, or the only one stays as it is for long, it
 * is the shape. Coefficient by coefficient, both ways, and back to the calibration when steps take again what it says.
 */

import { eachTerm, multiplied, type StepTimeCoefficients, type StepTimeProfile } from '../../domain/step-time.ts';
import { agreement, areAlike } from '../shape-agreement.ts';
import { areSameCoefficients, decodeStepRatio } from '../shapes.ts';
import { percent, rounded } from './detector.ts';
import { MOST_SEEN_MS } from './memory.ts';

/** What is remembered of a shape. */
export interface ShapeMemory {
  /** As its calibration run found it. */
  calibrated: StepTimeCoefficients;
  /** What its profile says now. */
  carried: StepTimeCoefficients;
  /** What live steps say, smoothed, and for how long they have said so; null where nothing was seen yet. */
  seen: { coefficients: StepTimeCoefficients; forMs: number } | null;
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
  /** The coefficients that its steps show; null where too few tell them apart. */
  stepTimeFit: StepTimeCoefficients | null;
}

export interface CarryOver {
  profile: StepTimeProfile;
  /** In the place of those of `profile`. */
  coefficients: StepTimeCoefficients;
  /** Of the calibrated: each coefficient, and a decode step at the reference load. */
  factors: StepTimeCoefficients;
  scale: number;
  /** It is the calibration again. */
  isAsCalibrated: boolean;
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

/** A profile is never moved further from its calibration: at the reference load, and any coefficient. */
const MOST_SCALE = 2;
const MOST_FACTOR = 4;
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
    // Another is a new calibration's; a memory of an earlier release does not say which it was.
    const isOurs = before?.carried && areSameCoefficients(before.carried, profile.coefficients);
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
  const found = agreed(live);
  if (!found) return memory;
  const seen = withSeen(memory.seen, found.coefficients, elapsedMs);
  const { calibrated } = memory;
  const isSure = seen.forMs >= (found.replicas > 1 ? SEVERAL_FOR_MS : ONE_FOR_MS);
  const factors = boundedFactors(seen.coefficients, calibrated);
  const coefficients = multiplied(calibrated, factors);
  if (!isSure || areAlike(coefficients, memory.carried)) return { ...memory, seen };

  const isAsCalibrated = areAlike(coefficients, calibrated);
  const message = `${shapeKey(profile)}: steps take ${percent(decodeStepRatio(seen.coefficients, calibrated))} of what calibration found, say ${found.replicas} of ${found.measured} replicas`;
  if (memory.correctionId) {
    end.push({
      correctionId: memory.correctionId,
      reason: isAsCalibrated ? 'steps take again what calibration found' : `replaced: ${message}`,
    });
  }
  const correctionId = `step-time ${shapeKey(profile)} @${atMs}`;
  const carried = isAsCalibrated ? calibrated : coefficients;
  const scale = rounded(decodeStepRatio(carried, calibrated));
  carryOver.push({ profile, coefficients: carried, factors, scale, isAsCalibrated, replicas: found.replicas, message, correctionId });
  return { ...memory, carried, seen, correctionId: isAsCalibrated ? null : correctionId };
}

/** What most of the measured replicas say, or the only one. */
function agreed(live: readonly LiveReplica[]) {
  return agreement(live.flatMap((replica) => toldBy(replica) ?? []));
}

function toldBy({ coefficients, stepTimeRatio, stepTimeFit }: LiveReplica): StepTimeCoefficients | null {
  if (stepTimeRatio === null || !(stepTimeRatio > 0) || !Number.isFinite(stepTimeRatio)) return null;
  return stepTimeFit ?? multiplied(coefficients, stepTimeRatio);
}

function boundedFactors(seen: StepTimeCoefficients, calibrated: StepTimeCoefficients): StepTimeCoefficients {
  const factors = eachTerm((term) =>
    calibrated[term] > 0 ? Math.max(1 / MOST_FACTOR, Math.min(MOST_FACTOR, seen[term] / calibrated[term])) : 1,
  );
  const scale = decodeStepRatio(multiplied(calibrated, factors), calibrated);
  const excess = scale / Math.max(1 / MOST_SCALE, Math.min(MOST_SCALE, scale));
  return eachTerm((term) => rounded(factors[term] / excess));
}

function withSeen(seen: ShapeMemory['seen'], now: StepTimeCoefficients, elapsedMs: number): NonNullable<ShapeMemory['seen']> {
  if (!seen || !areAlike(now, seen.coefficients)) return { coefficients: now, forMs: 0 };
  const { coefficients, forMs } = seen;
  const smoothed = eachTerm((term) => coefficients[term] + SMOOTHING * (now[term] - coefficients[term]));
  return { coefficients: smoothed, forMs: forMs + elapsedMs };
}

function fresh({ coefficients }: StepTimeProfile): ShapeMemory {
  return { calibrated: coefficients, carried: coefficients, seen: null, correctionId: null };
}
