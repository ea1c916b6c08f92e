/** The second look at a plan, in the transaction that applies it: what no longer fits the present is trimmed, with its reason. */
import { type HostState, isSchedulable } from '../domain/fleet.ts';
import type { Move, PlaceMove, RetireMove } from '../domain/plan.ts';
import type { Refusal } from '../domain/refusal.ts';
import { holdsAccelerators, type Replica } from '../domain/replica.ts';
import { type Occupancy, occupancyOf } from './occupancy.ts';

export interface Present {
  hosts: readonly HostState[];
  replicas: readonly Replica[];
  /** Deployment → the revision that it serves, null before its first. Absent: for a rollout, which brings in one that is not current yet. */
  currentRevisions?: ReadonlyMap<string, number | null>;
}

export interface TrimmedMove {
  move: Move;
  refusal: Refusal;
}

/**
 * Splits moves into those that still hold and those that do not. Moves kept earlier in the list take their accelerators from
 * later ones.
 */
export function checkMoves(moves: readonly Move[], present: Present): { kept: Move[]; trimmed: TrimmedMove[] } {
  const occupancy = occupancyOf(present.hosts, present.replicas);
  const kept: Move[] = [];
  const trimmed: TrimmedMove[] = [];
  for (const move of moves) {
    const refusal = move.kind === 'place' ? placeRefusal(move, present, occupancy) : retireRefusal(move, present);
    if (refusal) trimmed.push({ move, refusal });
    else {
      kept.push(move);
      if (move.kind === 'place') occupancy.hold(move.host, move.accelerators);
    }
  }
  return { kept, trimmed };
}

function placeRefusal(move: PlaceMove, { hosts, currentRevisions }: Present, occupancy: Occupancy): Refusal | null {
  if (currentRevisions && currentRevisions.get(move.deployment) !== move.revision) {
    return waiting('rollout', move.replicaId, `revision ${move.revision} of ${move.deployment} is no longer the current one`);
  }
  const host = hosts.find((h) => h.name === move.host);
  if (!host) return waiting('placement', move.replicaId, `host ${move.host} is gone`);
  if (!isSchedulable(host)) {
    const isSilent = host.service === 'schedulable';
    const why = `host ${host.name} takes no new work: it is ${isSilent ? host.liveness : host.service}`;
    return waiting(isSilent ? 'hosts-lost' : 'drain', move.replicaId, why);
  }
  const missing = move.accelerators.filter((index) => host.accelerators[index] !== move.acceleratorKind);
  if (missing.length > 0) {
    return waiting('accelerators', move.replicaId, `host ${host.name} has no ${move.acceleratorKind} at index ${missing.join(', ')}`);
  }
  const absent = move.accelerators.filter((index) => host.absent?.includes(index));
  if (absent.length > 0) {
    return waiting('accelerators', move.replicaId, `host ${host.name} does not find its accelerator ${absent.join(', ')}`);
  }
  const taken = move.accelerators.filter((index) => !occupancy.isFree(host.name, index));
  if (taken.length === 0) return null;
  return waiting('accelerators', move.replicaId, `accelerator ${taken.join(', ')} of host ${host.name} was taken meanwhile`);
}

function retireRefusal(move: RetireMove, { replicas }: Present): Refusal | null {
  const still = replicas.some((r) => r.id === move.replicaId && r.host === move.host && holdsAccelerators(r.state));
  return still ? null : waiting('placement', move.replicaId, `replica ${move.replicaId} no longer holds anything on host ${move.host}`);
}

function waiting(on: Refusal['on'], subject: string, message: string): Refusal {
  return { kind: 'waiting', on, subject, message };
}
