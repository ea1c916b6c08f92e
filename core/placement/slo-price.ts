/**
 * What an SLO costs: the least money for which each deployment's present demand can be served at some TPOT, its other targets as they are.
 * On accelerators like the fleet's, were there as many of them as it takes: a price of the SLO, not a plan. Whether the fleet as it is could
 * hold it, what others have left alone, stands beside it.
 */
import type { Demand } from '../domain/deployment.ts';
import type { Refusal } from '../domain/refusal.ts';
import { type SloTargets, sloTargetsSchema } from '../domain/slo-policy.ts';
import { planFleet } from './fleet/fleet-plan.ts';
import type { MilpRow, MilpSolver } from './fleet/milp.ts';
import { type Column, type FleetInput, fleetProblem } from './fleet/problem.ts';
import { perUnit } from './fleet-cost.ts';
import { openShapeBook } from './shapes.ts';
import type { DeploymentDemand } from './types.ts';

/** A picture of the fleet; capacities are those of the closed form. */
export type SloPriceInput = Omit<FleetInput, 'capacityFactors'>;

export interface DeploymentSloPrices {
  deployment: string;
  /** What is planned for, and priced here. */
  demand: Demand;
  /** The tightest TPOT first; without one last. */
  levels: SloPrice[];
}

export interface SloPrice {
  targets: SloTargets | null;
  /** Are these the targets that its policies set now? */
  own: boolean;
  /** null where no shape attains the targets, or none that does has a price. */
  usdPerHour: number | null;
  usdPerThousandRequests: number | null;
  replicas: ReplicasOfShape[];
  /** Why there is no price, and the nearest that would have one. */
  refusal: Refusal | null;
  presentFleet: PresentFleet;
}

export interface ReplicasOfShape {
  count: number;
  acceleratorKind: string;
  tensorParallel: number;
  usdPerHour: number;
}

/** The same on the accelerators that this deployment has and those that nobody holds. */
export interface PresentFleet {
  holds: boolean;
  usdPerHour: number | null;
  /** Why it does not hold. */
  refusal: Refusal | null;
}

/**
 * @param tpotLevelsMs above 0
 * @returns one for each deployment of the input, in its order
 */
export function sloPrices(input: SloPriceInput, tpotLevelsMs: readonly number[], solver: MilpSolver): DeploymentSloPrices[] {
  return input.deployments.map((deployment) => ({
    deployment: deployment.spec.name,
    demand: deployment.demand,
    levels: levelsOf(deployment.targets, tpotLevelsMs).map(({ targets, own }) => {
      const alone = { ...input, deployments: [{ ...deployment, targets }] };
      const price = priceAlone(alone, solver);
      return { targets, own, ...price, presentFleet: price.refusal ? NOT_AT_ALL(price.refusal) : onPresentFleet(alone, solver) };
    }),
  }));
}

const NOT_AT_ALL = (refusal: Refusal): PresentFleet => ({ holds: false, usdPerHour: null, refusal });

function levelsOf(own: SloTargets | null, tpotLevelsMs: readonly number[]): { targets: SloTargets | null; own: boolean }[] {
  const others = [...new Set(tpotLevelsMs)].filter((tpotMs) => tpotMs !== own?.tpotMs);
  const levels = others.map((tpotMs) => ({ targets: own ? { ...own, tpotMs } : sloTargetsSchema.parse({ tpotMs }), own: false }));
  const tpotOf = ({ targets }: { targets: SloTargets | null }) => targets?.tpotMs ?? Number.POSITIVE_INFINITY;
  return [...levels, { targets: own, own: true }].sort((a, b) => (tpotOf(a) < tpotOf(b) ? -1 : 1));
}

type Price = Pick<SloPrice, 'usdPerHour' | 'usdPerThousandRequests' | 'replicas' | 'refusal'>;

function priceAlone(input: SloPriceInput, solver: MilpSolver): Price {
  const empty = emptied(input);
  const [deployment] = input.deployments as [DeploymentDemand];
  const columns = columnsOf(empty, deployment.targets);
  if (columns.length === 0) return withoutPrice(empty, solver);
  const counts = leastCounts(columns, deployment, solver);
  const usdPerHour = columns.reduce((sum, c, i) => sum + counts[i]! * c.usdPerHour, 0);
  return {
    usdPerHour,
    usdPerThousandRequests: perUnit(usdPerHour, deployment.demand.requestsPerSecond, 1000),
    replicas: columns.flatMap(({ shape, usdPerHour }, i) => {
      const { acceleratorKind, tensorParallel } = shape;
      return counts[i]! > 0 ? [{ count: counts[i]!, acceleratorKind, tensorParallel, usdPerHour: counts[i]! * usdPerHour }] : [];
    }),
    refusal: null,
  };
}

/** What attains the targets and has a price. */
function columnsOf(input: SloPriceInput, targets: SloTargets | null): Column[] {
  const [deployment] = input.deployments as [DeploymentDemand];
  const at = { ...input, deployments: [{ ...deployment, targets }] };
  return fleetProblem(at, openShapeBook(at)).columns;
}

function withoutPrice(empty: SloPriceInput, solver: MilpSolver): Price {
  const [refusal] = planFleet(empty, solver).refusals;
  // Where neither requests nor replicas are wanted, there is nothing to refuse.
  if (!refusal) return { usdPerHour: 0, usdPerThousandRequests: null, replicas: [], refusal: null };
  const nearestMs = refusal.on === 'slo' ? nearestTpotMs(empty) : null;
  const nearest = nearestMs === null ? refusal : { ...refusal, nearest: `fits at TPOT ${nearestMs} ms` };
  return { usdPerHour: null, usdPerThousandRequests: null, replicas: [], refusal: nearest };
}

/** No target that anybody sets is looser. */
const LOOSEST_TPOT_MS = 10_000;

/** The least TPOT in whole ms that has a price, the other targets as they are; null where it is not TPOT that stands in the way. */
function nearestTpotMs(empty: SloPriceInput): number | null {
  const { targets } = empty.deployments[0]!;
  if (targets?.tpotMs === undefined) return null;
  const hasPrice = (tpotMs: number) => columnsOf(empty, { ...targets, tpotMs }).length > 0;
  let low = Math.floor(targets.tpotMs);
  let high = 2 * low + 1;
  while (!hasPrice(high)) {
    if (high >= LOOSEST_TPOT_MS) return null;
    [low, high] = [high, Math.min(LOOSEST_TPOT_MS, 2 * high)];
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (hasPrice(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** The hosts without anything on them, all of them at work. */
function emptied(input: SloPriceInput): SloPriceInput {
  const hosts = input.hosts
    .filter((h) => !h.external)
    .map((h) => ({ ...h, absent: [], liveness: 'alive' as const, service: 'schedulable' as const }));
  return { ...input, hosts, replicas: [] };
}

const MAX_NODES = 20_000;

/** Replicas a column that serve the demand for the least money, however many accelerators they take. */
function leastCounts(columns: readonly Column[], { demand, spec }: DeploymentDemand, solver: MilpSolver): number[] {
  // As shares of the demand: to solvers, small numbers are zero.
  const shares = columns.map((c) => (demand.requestsPerSecond > 0 ? Math.min(1, c.requestsPerSecond / demand.requestsPerSecond) : 1));
  const alone = shares.map((share) => Math.max(spec.replicas.min, Math.ceil(1 / share)));
  const usdAlone = columns.map((c, i) => alone[i]! * c.usdPerHour);
  const cheapest = usdAlone.indexOf(Math.min(...usdAlone));
  const start = columns.map((_, i) => (i === cheapest ? alone[i]! : 0));
  const solution = solver(
    {
      columns: columns.map((c, i) => ({ cost: c.usdPerHour, lower: 0, upper: alone[i]!, integer: true })),
      rows: [
        atLeast(demand.requestsPerSecond > 0 ? 1 : 0, shares),
        atLeast(
          spec.replicas.min,
          columns.map(() => 1),
        ),
      ],
    },
    { relativeGap: 0, absoluteGap: 0, maxNodes: MAX_NODES, start },
  );
  return solution.status === 'solved' ? solution.values : start;
}

function atLeast(lower: number, coefficients: readonly number[]): MilpRow {
  return { lower, upper: Number.POSITIVE_INFINITY, terms: coefficients.map((coefficient, i) => [i, coefficient]) };
}

/** There are many levels, and what the nearest is matters less here than whether they hold. */
const RELAXING_PLANS = 8;

function onPresentFleet(input: SloPriceInput, solver: MilpSolver): PresentFleet {
  const { refusals, usdPerHour } = planFleet(input, solver, { relax: RELAXING_PLANS });
  const [refusal] = refusals;
  return refusal ? { holds: false, usdPerHour: null, refusal } : { holds: true, usdPerHour, refusal: null };
}
