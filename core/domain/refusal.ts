/** Refusals and waits as values: why a plan does not do something, in the same words for planner, API, CLI, dashboard and Temporal's UI. */
import { z } from 'zod';

export const refusalSchema = z.object({
  kind: z.enum(['waiting', 'refused']),
  /** The constraint that binds. */
  on: z.enum([
    'accelerators', // no group of free accelerators is large enough
    'memory', // weights and a minimum of KV cache do not fit any shape
    'context', // a mean request is longer than the model's context
    'slo', // it fits, but no shape meets the targets
    'placement', // the deployment's own host or accelerator lists exclude every candidate
    'replicas', // as many replicas are there as its `replicas.max` allows
    'price', // money decides, and nobody named a price
    'disruption-budget', // as many replicas are moving as may move at once
    'rollout', // a rollout of this deployment holds it
    'drain', // a drain of this host is running
    'mode', // the deployment's mode leaves it to an operator, or to nobody
    'hosts-lost', // a host is silent for now, or too many vanished together: it may be us who are away
  ]),
  /** What it is about: a deployment, a host or a replica. */
  subject: z.string(),
  /** One sentence: the constraint with its figures. */
  message: z.string(),
  /** The nearest thing that would be feasible, e.g. `fits with 2 more A100-80G-SXM`. */
  nearest: z.string().optional(),
});

export type Refusal = z.infer<typeof refusalSchema>;

/** The constraint, and what would be feasible, in one line. */
export function inWords({ message, nearest }: Pick<Refusal, 'message' | 'nearest'>): string {
  return nearest ? `${message}; ${nearest}` : message;
}
