/** The fleet planner with its shapes tried by simulation. */
import { type FleetPlan, type FleetPlanOptions, planFleet } from '../placement/fleet/fleet-plan.ts';
import type { MilpSolver } from '../placement/fleet/milp.ts';
import type { FleetInput } from '../placement/fleet/problem.ts';
import { shapeKey } from '../placement/shapes.ts';
import { failedShapes, type ShapeTrials } from './shape-trials.ts';

const ROUNDS = 4;

export interface TriedFleetPlan extends FleetPlan {
  /** By `shapeKey`: shapes that did not do what they were counted on for, and the share of it that they do. */
  factors: Record<string, number>;
  /** Shapes chosen that were not tried, because there were more than `mostShapes`. */
  untried: number;
}

export interface TrialLimits {
  /** With more shapes than this in a plan, none is tried: each takes about 50 ms. */
  mostShapes: number;
}

export function planFleetTried(
  input: FleetInput,
  solver: MilpSolver,
  trials: ShapeTrials,
  options: FleetPlanOptions,
  { mostShapes }: TrialLimits,
): TriedFleetPlan {
  const { relax = 0, ...quick } = options;
  const tried = withTrials(input, solver, trials, quick, { mostShapes });
  if (relax === 0 || tried.refusals.length === 0) return tried;
  const { factors, untried } = tried;
  const simulated = (changed: FleetInput) =>
    withTrials(changed, solver, trials, { pipelines: options.pipelines ?? false }, { mostShapes }).replicas;
  const how = untried > 0 ? options : { ...options, simulated };
  return { ...planFleet({ ...input, capacityFactors: factors }, solver, how), factors, untried };
}

function withTrials(
  input: FleetInput,
  solver: MilpSolver,
  trials: ShapeTrials,
  options: FleetPlanOptions,
  { mostShapes }: TrialLimits,
): TriedFleetPlan {
  const deployments = new Map(input.deployments.map((d) => [d.spec.name, d]));
  const factors: Record<string, number> = {};
  for (let round = 1; ; round++) {
    const plan = planFleet({ ...input, capacityFactors: factors }, solver, options);
    const chosen = new Map(plan.replicas.map((r) => [shapeKey(r.deployment, r.shape), r]));
    if (chosen.size > mostShapes) return { ...plan, factors, untried: chosen.size };
    const failed = failedShapes(
      trials,
      [...chosen.values()].map(({ deployment, shape }) => ({ deployment: deployments.get(deployment)!, shape })),
    );
    if (round === ROUNDS || Object.keys(failed).length === 0) return { ...plan, factors, untried: 0 };
    for (const [key, factor] of Object.entries(failed)) factors[key] = (factors[key] ?? 1) * factor;
  }
}
