/**
 * Plans whose shapes were tried. The planner counts on closed forms; before a plan becomes the target, each shape that it chose is
 * simulated at the rate that it is counted on for, and counted for less where that is too much. The same trials predict how many
 * requests will meet their targets before and after a plan.
 */
import type { SloTargets } from '../domain/slo-policy.ts';
import type { ReplicaSpeed, Variations } from '../placement/capacity/capacity.ts';
import { type Shape, shapeKey } from '../placement/shapes.ts';
import type { DeploymentDemand } from '../placement/types.ts';
import { checkShape } from './simulated-capacity.ts';

/** What decides how a deployment's requests fare on a replica. */
export type Judged = Pick<DeploymentDemand, 'demand' | 'variations'> & { targets: SloTargets };

/** Remembers what it tried: plans are made again and again with the same shapes. */
export interface ShapeTrials {
  /** Share of the requests that meet all targets on one replica at this rate. */
  attainment(speed: ReplicaSpeed, deployment: Judged, requestsPerSecond: number): number;
}

const SEED = 'shape-trials';
const MOST_REMEMBERED = 10_000;
/** Below what was promised by more than chance makes of 2,000 requests. */
const TOLERANCE = 0.015;
/** What a shape is tried at in turn, relative to its closed form, until it attains. */
const FACTORS = [1, 0.9, 0.8, 0.7, 0.55, 0.4, 0.25, 0.1] as const;

export function openShapeTrials(): ShapeTrials {
  const known = new Map<string, number>();
  return {
    attainment(speed, { demand, variations = {}, targets }, requestsPerSecond) {
      // To three digits: a forecast that moves by less changes nothing.
      const rate = Number(requestsPerSecond.toPrecision(3));
      const near = { inputTokens: Number(demand.inputTokens.toPrecision(3)), outputTokens: Number(demand.outputTokens.toPrecision(3)) };
      const spread = rounded(variations);
      const key = JSON.stringify([speed, near, spread, targets, rate]);
      const found = known.get(key);
      if (found !== undefined) return found;
      const { attainment } = checkShape(speed, near, targets, rate, { seed: SEED, ...spread });
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(key, attainment);
      return attainment;
    },
  };
}

function rounded({ inputVariation, outputVariation }: Variations): Variations {
  return {
    ...(inputVariation === undefined ? {} : { inputVariation: Number(inputVariation.toPrecision(2)) }),
    ...(outputVariation === undefined ? {} : { outputVariation: Number(outputVariation.toPrecision(2)) }),
  };
}

/** The largest of the factors at which the shape attains what its deployment is promised; 1 where nothing is promised, 0 where none does. */
function provenFactor(trials: ShapeTrials, { targets, ...rest }: DeploymentDemand, { speed, capacity }: Shape): number {
  if (!targets || !capacity.meetsSlo) return 1;
  const attains = (factor: number) =>
    trials.attainment(speed, { ...rest, targets }, capacity.requestsPerSecond * factor) >= targets.attainment - TOLERANCE;
  return FACTORS.find(attains) ?? 0;
}

/** @param chosen shapes that a plan chose. Returns factors below 1 by `shapeKey`; empty where every shape does what it is counted on for. */
export function failedShapes(
  trials: ShapeTrials,
  chosen: Iterable<{ deployment: DeploymentDemand; shape: Shape }>,
): Record<string, number> {
  const factors: Record<string, number> = {};
  for (const { deployment, shape } of chosen) {
    const key = shapeKey(deployment.spec.name, shape);
    if (key in factors) continue;
    const factor = provenFactor(trials, deployment, shape);
    if (factor < 1) factors[key] = factor;
  }
  return factors;
}
