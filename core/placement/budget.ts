/**
 * The disruption budget, in two subtractions over one picture of the replicas: how many replicas of a deployment may go away without a
 * replacement, and how many moves may begin in the whole cluster, whoever asks for them: drains, rebalances and replacements together.
 */
import type { Move, PlanPurpose } from '../domain/plan.ts';
import type { Refusal } from '../domain/refusal.ts';
import { holdsAccelerators, type Replica } from '../domain/replica.ts';

/** How many moves may be under way at once where nobody says otherwise. */
export const DEFAULT_MAX_MOVING = 2;

/** A rollout brings its own revision in beside what serves, by its own steps; everything else moves within the budget. */
export function isDisruption(purpose: PlanPurpose): boolean {
  return purpose !== 'deploy';
}

export interface ServingCount {
  /** Replicas that serve now, those that are to leave among them. */
  serving: number;
  /** How many of them the demand needs. */
  needed: number;
  /** The deployment's `replicas.min`: holds whatever else is allowed. */
  min: number;
  /** How many of the needed ones may be away. */
  maxUnavailable: number;
}

export function mayLeave({ serving, needed, min, maxUnavailable }: ServingCount): number {
  return Math.max(0, serving - Math.max(min, needed - maxUnavailable));
}

type Movable = Pick<Replica, 'id' | 'state' | 'move'>;

/** How many moves may begin now: those allowed at once less those under way. A move counts once, however many replicas are part of it. */
export function mayMove(replicas: readonly Pick<Replica, 'state' | 'move'>[], maxMoving: number): number {
  const moving = new Set(replicas.flatMap((r) => (r.move && holdsAccelerators(r.state) ? [r.move.id] : [])));
  return Math.max(0, maxMoving - moving.size);
}

/** The move that a line of a plan belongs to. What leaves after others have come belongs to the first of them. */
export function moveIdOf(move: Move): string {
  return move.kind === 'place' ? (move.replaces ?? move.replicaId) : (move.after?.[0] ?? move.replicaId);
}

/** The replica that leaves by it, at once or later. */
export function leavingOf(move: Move): string | undefined {
  return move.kind === 'place' ? move.replaces : move.replicaId;
}

export interface BudgetedMoves {
  kept: Move[];
  trimmed: { move: Move; refusal: Refusal }[];
}

/**
 * Lets as many moves of a plan through as the budget has left, in their order. What leaves and does not serve disrupts nothing, and costs
 * nothing; what another plan is moving already is left to it.
 * @param changed deployments of which another plan was applied since this one was made: their figures no longer hold
 */
export function holdToBudget(
  moves: readonly Move[],
  replicas: readonly Movable[],
  { maxMoving, changed = new Set() }: { maxMoving: number; changed?: ReadonlySet<string> },
): BudgetedMoves {
  const byId = new Map(replicas.map((r) => [r.id, r]));
  const result: BudgetedMoves = { kept: [], trimmed: [] };
  const begun = new Set<string>();
  let left = mayMove(replicas, maxMoving);
  for (const move of moves) {
    const leaving = byId.get(leavingOf(move) ?? '');
    const id = moveIdOf(move);
    const costs = (move.kind === 'place' || leaving?.state === 'ready') && !begun.has(id);
    const refusal = refusalOf(
      move,
      { leaving, isChanged: changed.has(move.deployment), isOver: costs && left === 0, maxMoving },
      result.kept,
    );
    if (refusal) {
      result.trimmed.push({ move, refusal });
      continue;
    }
    result.kept.push(move);
    if (!costs) continue;
    begun.add(id);
    left -= 1;
  }
  return result;
}

interface Standing {
  leaving: Movable | undefined;
  isChanged: boolean;
  isOver: boolean;
  maxMoving: number;
}

function refusalOf(move: Move, { leaving, isChanged, isOver, maxMoving }: Standing, kept: readonly Move[]): Refusal | null {
  const waiting = (message: string, nearest: string): Refusal => ({
    ...{ kind: 'waiting', on: 'disruption-budget', subject: move.replicaId, message, nearest },
  });
  if (leaving?.move?.leaves) return waiting(`${leaving.id} is being moved already`, 'goes on once that move is over');
  if (isChanged)
    return waiting(`another plan for ${move.deployment} was applied meanwhile`, 'goes on with the next plan, which counts with it');
  if (move.kind === 'retire' && move.after?.some((id) => !kept.some((k) => k.replicaId === id)))
    return waiting(`${move.replicaId} stays until all that take its place can come`, 'goes on with the next plan');
  if (!isOver) return null;
  return waiting(`${maxMoving} replicas may move at once in the whole cluster, and as many do`, 'goes on as soon as one of them has moved');
}
