/** A replica: one engine instance on a set of accelerators of one host. */
import { z } from 'zod';
import { engineKindSchema } from './deployment.ts';

/**
 * reserved → starting → warming → ready ⇄ unroutable → draining → stopped; failed from any of them.
 * Only `ready` is routed. `unroutable`: its host is silent, and no gateway reaches it.
 */
export const replicaStateSchema = z.enum(['reserved', 'starting', 'warming', 'ready', 'unroutable', 'draining', 'stopped', 'failed']);
export type ReplicaState = z.infer<typeof replicaStateSchema>;

/** A move that disrupts: a replica arrives, leaves, or both at once, from when the plan is applied until the move is over. */
const replicaMoveSchema = z.object({
  /** The replica that leaves; the one that arrives where none does. Each move counts once against the disruption budget. */
  id: z.string(),
  planId: z.string(),
  leaves: z.boolean(),
});
export type ReplicaMove = z.infer<typeof replicaMoveSchema>;

export const replicaSchema = z.object({
  id: z.string(),
  model: z.string(),
  deployment: z.string(),
  revision: z.number().int(),
  host: z.string(),
  /** Indexes of the host's accelerators. */
  accelerators: z.array(z.number().int()),
  /** Kind of those accelerators. */
  acceleratorKind: z.string(),
  tensorParallel: z.number().int(),
  engine: engineKindSchema,
  endpoint: z.string().nullable(),
  state: replicaStateSchema,
  /** Rises with every start of this replica's engine; a host refuses what is older than what it knows. */
  generation: z.number().int(),
  /** Share of its model's traffic relative to its siblings, per cent of a full share. */
  weight: z.number(),
  simulated: z.boolean(),
  /** Why it is in this state. */
  reason: z.string(),
  /** The move that it is part of; null at rest. */
  move: replicaMoveSchema.nullish(),
});
export type Replica = z.infer<typeof replicaSchema>;

/** An engine that exits while it loads is started so often, each time as the next generation, before its replica is given up. */
export const START_ATTEMPTS = 3;

/** Does it hold its accelerators? */
export function holdsAccelerators(state: ReplicaState): boolean {
  return state !== 'stopped' && state !== 'failed';
}

/** What a replica weighs that takes its full share of its deployment's traffic. */
export const FULL_WEIGHT = 100;
