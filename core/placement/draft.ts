/** A plan in the making: the board it plays on, and what it has decided so far. Each purpose writes into one draft. */
import type { Move } from '../domain/plan.ts';
import type { Refusal } from '../domain/refusal.ts';
import { holdsAccelerators, type Replica } from '../domain/replica.ts';
import { isDisruption, mayMove } from './budget.ts';
import type { Capacity } from './capacity/capacity.ts';
import { pricePerHour } from './cost.ts';
import type { MilpSolver } from './fleet/milp.ts';
import { type Occupancy, occupancyOf } from './occupancy.ts';
import { compareText } from './rank.ts';
import { openShapeBook, type Shape, type ShapeBook } from './shapes.ts';
import type { DeploymentDemand, PlanInput } from './types.ts';

/** A replica as planning counts it: one that is there, or one that this plan places. */
export interface Unit {
  id: string;
  host: string;
  acceleratorKind: string;
  accelerators: readonly number[];
  tensorParallel: number;
  capacity: Capacity;
  /** null where it no longer fits the model's figures. */
  shape: Shape | null;
  /** null where the kind has no price. */
  usdPerHour: number | null;
  /** Does it take requests now? */
  serving: boolean;
}

export interface Draft {
  readonly input: PlanInput;
  /** null: what asks for it is left out. */
  readonly solver: MilpSolver | null;
  readonly occupancy: Occupancy;
  readonly shapes: ShapeBook;
  readonly moves: Move[];
  readonly waiting: Refusal[];
  readonly reasons: string[];
  /** How many more replicas this plan may move. */
  movesLeft: number;
  /** Units that this plan places, by id. */
  readonly placed: Map<string, Unit>;
}

export function openDraft(given: PlanInput, solver: MilpSolver | null): Draft {
  // In the order of names: a plan does not depend on the order in which hosts were loaded.
  const input = { ...given, hosts: [...given.hosts].sort((a, b) => compareText(a.name, b.name)) };
  return {
    input,
    solver,
    occupancy: occupancyOf(input.hosts, input.replicas),
    shapes: openShapeBook(input),
    moves: [],
    waiting: [],
    reasons: [],
    movesLeft: isDisruption(input.purpose) ? mayMove(input.replicas, input.budget.maxMoving) : Number.POSITIVE_INFINITY,
    placed: new Map(),
  };
}

/** Replicas of a deployment that hold accelerators, by what becomes of them in every plan. */
export interface PresentReplicas {
  /** Of the planned revision, on hosts that are there. */
  current: Replica[];
  /** Of the planned revision or an older one, on lost hosts. */
  lost: Replica[];
  /** Of an older revision. */
  older: Replica[];
  /** Of a newer revision: a rollout is bringing them in. */
  newer: Replica[];
  /** On their way out already. */
  draining: Replica[];
  /** Leaving by another plan: they serve until what replaces them does. */
  moving: Replica[];
}

export function presentReplicas({ input }: Draft, { spec, revision }: DeploymentDemand): PresentReplicas {
  const lostHosts = new Set(input.hosts.filter((h) => h.liveness === 'lost').map((h) => h.name));
  const present: PresentReplicas = { current: [], lost: [], older: [], newer: [], draining: [], moving: [] };
  for (const replica of [...input.replicas].sort((a, b) => compareText(a.id, b.id))) {
    if (replica.deployment !== spec.name || !holdsAccelerators(replica.state)) continue;
    if (replica.state === 'draining') present.draining.push(replica);
    else if (replica.move?.leaves) present.moving.push(replica);
    else if (replica.revision > revision) present.newer.push(replica);
    else if (lostHosts.has(replica.host)) present.lost.push(replica);
    else if (replica.revision < revision) present.older.push(replica);
    else present.current.push(replica);
  }
  return present;
}

/** A present replica with what it can serve. One on a shape that no longer fits the model's figures serves nothing within the SLO. */
export function unitOf({ input, shapes }: Draft, deployment: DeploymentDemand, replica: Replica): Unit {
  const host = input.hosts.find((h) => h.name === replica.host);
  const shape = host ? shapes.shape(deployment, host, replica.acceleratorKind, replica.tensorParallel) : null;
  const { id, acceleratorKind, accelerators, tensorParallel } = replica;
  const price = pricePerHour(input.prices, replica.host, acceleratorKind);
  return {
    id,
    host: replica.host,
    acceleratorKind,
    accelerators,
    tensorParallel,
    capacity: shape?.capacity ?? NO_CAPACITY,
    shape,
    usdPerHour: price === null ? null : price * accelerators.length,
    serving: replica.state === 'ready',
  };
}

const NO_CAPACITY: Capacity = { requestsPerSecond: 0, meetsSlo: false, unloaded: { ttftMs: Infinity, tpotMs: Infinity, e2eMs: Infinity } };

export function totalCapacity(units: readonly Unit[]): number {
  return units.reduce((sum, u) => sum + u.capacity.requestsPerSecond, 0);
}

/** What a deployment should have: so many replicas, and so much capacity in all. */
export interface Goal {
  replicas: number;
  requestsPerSecond: number;
}

export function reaches(units: readonly Unit[], goal: Goal): boolean {
  return units.length >= goal.replicas && totalCapacity(units) >= goal.requestsPerSecond - 1e-9;
}

/**
 * Retires a replica that nothing replaces; one that is replaced leaves by the `replaces` of its successor.
 * @param after new replicas that must serve first
 */
export function retire(draft: Draft, deployment: string, unit: Pick<Unit, 'id' | 'host'>, reason: string, after: string[] = []): void {
  draft.moves.push({
    ...{ kind: 'retire', replicaId: unit.id, deployment, host: unit.host },
    ...(after.length > 0 ? { after } : {}),
    reason,
  });
}
