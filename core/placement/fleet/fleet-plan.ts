/**
 * The fleet planner: for all deployments together the replicas that serve their demand within their SLOs at the least money, and how
 * far from the least they can be at most. Pure, but for the solver that is passed in; the same input gives the same plan.
 *
 * Shapes and what they serve (`shapes.ts`, `capacity.ts`) → one column a deployment, pool of like hosts and width (`problem.ts`) →
 * counts (`assign.ts`: greedy, local search, then the mixed-integer program) → accelerators (`pack.ts`) → reasons (`refusals.ts`).
 */
import type { Refusal } from '../../domain/refusal.ts';
import type { PipelineStage } from '../helr/pipeline-shapes.ts';
import { compareText } from '../rank.ts';
import { openShapeBook, type Shape, type ShapeBook } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import { assign } from './assign.ts';
import type { MilpSolver } from './milp.ts';
import { movePricePerHour } from './move-cost.ts';
import { type PackedReplica, pack } from './pack.ts';
import { openPipelineBook, type PipelineBook, pipelinesSpanning, type SpanningPipeline } from './pipelines.ts';
import { type FleetInput, type FleetProblem, fleetProblem, shortfallOf } from './problem.ts';
import { fleetRefusals } from './refusals.ts';

export interface FleetReplica {
  deployment: string;
  model: string;
  host: string;
  accelerators: number[];
  shape: Shape;
  usdPerHour: number;
  /** Of the present replica that stays. */
  presentId?: string;
  /** Of a pipeline: `host` and `accelerators` are those of its first stage where it spans several hosts or kinds. */
  stages?: PipelineStage[];
}

export interface FleetPlan {
  replicas: FleetReplica[];
  usdPerHour: number;
  /** No plan that leaves as little undone costs less; moves, where they are priced, counted on both sides. */
  lowerBoundUsdPerHour: number;
  /** Demand that finds no place, requests a second, and the least that any plan must leave. */
  unmetPerSecond: number;
  lowerBoundUnmetPerSecond: number;
  /** Why what is not placed, or only in part, is not; one a deployment. */
  refusals: Refusal[];
}

export interface FleetPlanOptions {
  /** Do moves have a price? Where something is there already, they should. */
  priceMoves?: boolean;
  /** New replicas that there may be, on accelerators that are free now; absent: whatever is best in the end, however one gets there. */
  mostMoves?: number;
  /** May a replica be a pipeline? Across hosts only where nothing else holds the model. */
  pipelines?: boolean;
  /** Prove the optimum, however long it takes. */
  exact?: boolean;
}

/** Rounds of taking back what packing finds no host for. Without anti-affinity the first succeeds. */
const PACKING_ROUNDS = 8;

export function planFleet(given: FleetInput, solver: MilpSolver, options: FleetPlanOptions = {}): FleetPlan {
  const { priceMoves = false, exact = false, pipelines = false, mostMoves } = options;
  const book = openShapeBook(given);
  const pipelineBook = pipelines ? openPipelineBook(given) : undefined;
  const { input, spanning } = withoutSpanning(inOrder(given), book, pipelineBook);
  let problem: FleetProblem = { ...fleetProblem(input, book, pipelineBook), ...(mostMoves === undefined ? {} : { mostMoves }) };
  const solve = () => assign(problem, solver, { exact, moveUsdPerHour: priceMoves ? movePrices(input, problem) : () => 0 });
  const first = solve();
  let packing = pack(problem, input, first.counts);
  for (let round = 1; packing.shortOf.size > 0 && round < PACKING_ROUNDS; round++) {
    problem = { ...problem, columns: problem.columns.map((c, i) => ({ ...c, most: Math.min(c.most, packing.shortOf.get(i) ?? c.most) })) };
    packing = pack(problem, input, solve().counts);
  }
  const counts = problem.columns.map((_, i) => packing.replicas.filter((r) => r.column === i).length);
  const replicas = [...packing.replicas.map((packed) => replicaOf(problem, packed)), ...spanning.map(spanningReplica)];
  return {
    replicas: replicas.sort(byPlace),
    usdPerHour: replicas.reduce((sum, r) => sum + r.usdPerHour, 0),
    lowerBoundUsdPerHour: first.lowerBoundUsdPerHour,
    unmetPerSecond: shortfallOf(problem, counts).reduce((sum, s) => sum + s.unmetPerSecond, 0),
    lowerBoundUnmetPerSecond: first.lowerBoundUnmetPerSecond,
    refusals: fleetRefusals(input, problem, book, counts),
  };
}

/**
 * Models that no host holds get their pipelines first; what they take is gone for the others, and what they serve is served. The bound
 * counts them as free: no program says what the least would be.
 */
function withoutSpanning(
  input: FleetInput,
  book: ShapeBook,
  pipelines: PipelineBook | undefined,
): { input: FleetInput; spanning: SpanningPipeline[] } {
  if (!pipelines) return { input, spanning: [] };
  const { wishes, columns } = fleetProblem(input, book, pipelines);
  const spanning: SpanningPipeline[] = [];
  let rest = input;
  for (const { deployment } of wishes.filter((_, w) => columns.every((c) => c.wish !== w))) {
    const placed = pipelinesSpanning(rest, deployment);
    if (placed.length === 0) continue;
    spanning.push(...placed);
    const served = placed.reduce((sum, p) => sum + p.shape.capacity.requestsPerSecond, 0);
    const stages = placed.flatMap((p) => p.stages);
    rest = {
      ...rest,
      hosts: rest.hosts.map((h) => ({
        ...h,
        absent: [...(h.absent ?? []), ...stages.flatMap((s) => (s.host === h.name ? s.accelerators : []))],
      })),
      deployments: rest.deployments.map((d) => (d === deployment ? withServed(d, served, placed.length) : d)),
    };
  }
  return { input: rest, spanning };
}

function withServed({ spec, demand, ...rest }: DeploymentDemand, requestsPerSecond: number, replicas: number): DeploymentDemand {
  const left = demand.requestsPerSecond - requestsPerSecond;
  return {
    ...rest,
    spec: { ...spec, replicas: { ...spec.replicas, min: Math.max(0, spec.replicas.min - replicas) } },
    demand: { ...demand, requestsPerSecond: left > 1e-6 * demand.requestsPerSecond ? left : 0 },
  };
}

function spanningReplica({ deployment, shape, stages, usdPerHour }: SpanningPipeline): FleetReplica {
  const { name, model } = deployment.spec;
  const [{ host, accelerators }] = stages as [PipelineStage];
  return { deployment: name, model, host, accelerators, shape, usdPerHour, stages };
}

function movePrices({ models }: FleetInput, { wishes, columns }: FleetProblem) {
  const prices = columns.map(({ wish, usdPerHour }) => movePricePerHour(models[wishes[wish]!.deployment.spec.model]!, usdPerHour));
  return (column: number) => prices[column]!;
}

function replicaOf({ wishes, columns }: FleetProblem, { column, host, accelerators, presentId }: PackedReplica): FleetReplica {
  const { wish, shape, usdPerHour } = columns[column]!;
  const { name, model } = wishes[wish]!.deployment.spec;
  const { tensorParallel, acceleratorKind, stageLayers } = shape;
  const stages = stageLayers?.map((layers, s) => ({
    ...{ host, acceleratorKind, tensorParallel, layers },
    accelerators: accelerators.slice(s * tensorParallel, (s + 1) * tensorParallel),
  }));
  return {
    ...{ deployment: name, model, host, accelerators, shape, usdPerHour },
    ...(presentId === undefined ? {} : { presentId }),
    ...(stages ? { stages } : {}),
  };
}

function byPlace(a: FleetReplica, b: FleetReplica): number {
  return compareText(a.deployment, b.deployment) || compareText(a.host, b.host) || a.accelerators[0]! - b.accelerators[0]!;
}

/** A plan does not depend on the order in which hosts and deployments were loaded. */
function inOrder(input: FleetInput): FleetInput {
  return {
    ...input,
    hosts: [...input.hosts].sort((a, b) => compareText(a.name, b.name)),
    deployments: [...input.deployments].sort((a, b) => compareText(a.spec.name, b.spec.name)),
    replicas: [...input.replicas].sort((a, b) => compareText(a.id, b.id)),
  };
}
