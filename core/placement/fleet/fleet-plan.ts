/**
 * The fleet planner: for all deployments together the replicas that serve their demand within their SLOs at the least money, and how
 * far from the least they can be at most. Pure, but for the solver that is passed in; the same input gives the same plan.
 *
 * Shapes and what they serve (`shapes.ts`, `capacity/`) → one column a deployment, pool of like hosts and width (`problem.ts`) →
 * counts (`assign.ts`: greedy, local search, then the mixed-integer program; `packing/spread.ts`: over pools that cost the same) → accelerators
 * (`packing/`) → reasons (`refusals.ts`).
 */
import type { Refusal } from '../../domain/refusal.ts';
import { pricePerHour } from '../cost.ts';
import type { PipelineStage } from '../helr/pipeline-shapes.ts';
import { compareText } from '../rank.ts';
import { openShapeBook, type Shape, type ShapeBook } from '../shapes.ts';
import type { DeploymentDemand } from '../types.ts';
import { assign } from './assign.ts';
import type { MilpSolver } from './milp.ts';
import { movePricePerHour } from './move-cost.ts';
import type { PackedReplica } from './packing/board.ts';
import { pack } from './packing/pack.ts';
import { spreadCounts } from './packing/spread.ts';
import { openPipelineBook, type PipelineBook } from './pipelines.ts';
import { type FleetInput, type FleetProblem, fleetProblem, shortfallOf } from './problem.ts';
import { fleetRefusals } from './refusals.ts';
import { capacityOf, placedOf } from './relaxation/room.ts';
import type { Replan } from './relaxation/search.ts';
import type { SpanningWish } from './spanning.ts';
import { planInTurns } from './turns.ts';

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
  /** No plan that leaves as little undone costs less to run, however many moves it takes. */
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
  /** Plans that may be made to find the nearest that would do where a deployment is refused, some 5 ms each; absent: none are. */
  relax?: number;
  /** What is found so is to hold in these plans as well, whose shapes are tried by simulation. */
  simulated?: Replan;
}

/** Below this share of its demand a deployment is as good as not served, and what that takes is better left free. */
const USEFUL_SHARE = 0.01;

export function planFleet(given: FleetInput, solver: MilpSolver, options: FleetPlanOptions = {}): FleetPlan {
  const input = inOrder(given);
  const all = planAll(input, solver, options);
  const scarce = input.deployments.filter((d) => {
    const own = placedOf(d, all.replicas);
    return own.length > d.spec.replicas.min && capacityOf(own) < USEFUL_SHARE * d.demand.requestsPerSecond;
  });
  const plan = scarce.length === 0 ? all : withoutScarce(input, all, scarce, (rest) => planAll(rest, solver, options));
  const replan = (changed: FleetInput) => planAll(inOrder(changed), solver, { pipelines: options.pipelines ?? false }).replicas;
  const attempted = scarce.flatMap((d) => placedOf(d, all.replicas));
  const { relax = 0, simulated = null } = options;
  return { ...plan, refusals: fleetRefusals(input, plan.replicas, { attempted, search: relax > 0 ? { replan, simulated, relax } : null }) };
}

export type Unexplained = Omit<FleetPlan, 'refusals'>;

/** What is hardly served at all gives its accelerators up, but for its least number of replicas. */
function withoutScarce(
  input: FleetInput,
  { lowerBoundUnmetPerSecond }: Unexplained,
  scarce: readonly DeploymentDemand[],
  replan: (rest: FleetInput) => Unexplained,
): Unexplained {
  const deployments = input.deployments.map((d) => (scarce.includes(d) ? { ...d, demand: { ...d.demand, requestsPerSecond: 0 } } : d));
  const plan = replan({ ...input, deployments });
  const unserved = scarce.reduce((sum, d) => sum + d.demand.requestsPerSecond - capacityOf(placedOf(d, plan.replicas)), 0);
  const unmetPerSecond = plan.unmetPerSecond + unserved;
  return { ...plan, unmetPerSecond, lowerBoundUnmetPerSecond: Math.min(lowerBoundUnmetPerSecond, unmetPerSecond) };
}

function planAll(ordered: FleetInput, solver: MilpSolver, options: FleetPlanOptions): Unexplained {
  const books = openBooks(ordered, options);
  const onHosts = (input: FleetInput) => planOnHosts(input, solver, options, input === ordered ? books : openBooks(input, options));
  const wanted = options.pipelines ? spanningCandidates(ordered, books) : [];
  const plan = wanted.length > 0 ? planInTurns(ordered, wanted, onHosts, options.priceMoves ?? false) : onHosts(ordered);
  return { ...plan, replicas: [...plan.replicas].sort(byPlace) };
}

/** What replicas can be of, each worked out once for an input. */
interface Books {
  shapes: ShapeBook;
  pipelines: PipelineBook | undefined;
}

function openBooks(input: FleetInput, options: FleetPlanOptions): Books {
  return { shapes: openShapeBook(input), pipelines: options.pipelines ? openPipelineBook(input) : undefined };
}

/** All replicas but pipelines across hosts. */
function planOnHosts(input: FleetInput, solver: MilpSolver, options: FleetPlanOptions, { shapes, pipelines }: Books): Unexplained {
  const { priceMoves = false, exact = false, mostMoves } = options;
  const problem = {
    ...fleetProblem(input, shapes, pipelines, exact ? 'fine' : 'affordable'),
    ...(mostMoves === undefined ? {} : { mostMoves }),
  };
  const assignment = assign(problem, solver, { exact, moveUsdPerHour: priceMoves ? movePrices(input, problem) : undefined });
  const packed = pack(problem, input, spreadCounts(problem, assignment.counts, exact)).replicas;
  const counts = problem.columns.map((_, i) => packed.filter((r) => r.column === i).length);
  const replicas = packed.map((replica) => replicaOf(input, problem, replica));
  return {
    replicas,
    usdPerHour: replicas.reduce((sum, r) => sum + r.usdPerHour, 0),
    lowerBoundUsdPerHour: assignment.lowerBoundUsdPerHour,
    unmetPerSecond: shortfallOf(problem, counts).reduce((sum, s) => sum + s.unmetPerSecond, 0),
    lowerBoundUnmetPerSecond: assignment.lowerBoundUnmetPerSecond,
  };
}

/** Deployments that nothing on one host serves, and those that have a pipeline across hosts already. */
function spanningCandidates(input: FleetInput, { shapes, pipelines }: Books): SpanningWish[] {
  const { wishes, columns } = fleetProblem(input, shapes, pipelines);
  return wishes.flatMap(({ deployment: { spec } }, w): SpanningWish[] => {
    if (!columns.some((c) => c.wish === w)) return [{ deployment: spec.name, upTo: 'demand' }];
    return input.pipelines?.some((p) => p.deployment === spec.name) ? [{ deployment: spec.name, upTo: 'present' }] : [];
  });
}

function movePrices({ models }: FleetInput, { wishes, columns }: FleetProblem) {
  const prices = columns.map(({ wish, usdPerHour }) => movePricePerHour(models[wishes[wish]!.deployment.spec.model]!, usdPerHour));
  return (column: number) => prices[column]!;
}

function replicaOf(
  { prices }: FleetInput,
  { wishes, columns }: FleetProblem,
  { column, host, accelerators, presentId }: PackedReplica,
): FleetReplica {
  const { wish, shape } = columns[column]!;
  const { name, model } = wishes[wish]!.deployment.spec;
  const { tensorParallel, acceleratorKind, stageLayers } = shape;
  const stages = stageLayers?.map((layers, s) => ({
    ...{ host, acceleratorKind, tensorParallel, layers },
    accelerators: accelerators.slice(s * tensorParallel, (s + 1) * tensorParallel),
  }));
  return {
    ...{ deployment: name, model, host, accelerators, shape },
    usdPerHour: accelerators.length * pricePerHour(prices, host, acceleratorKind)!,
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
