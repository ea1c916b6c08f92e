/** Faults that tests put into a running simulated engine, so that what the control plane expected of it is wrong. */
import { z } from 'zod';

const factor = z.number().min(0.01).max(100).default(1);

/** The body of `POST /simulated/faults`; what is absent goes back to what it was without faults. */
export const faultsSchema = z.strictObject({
  /** Steps take this many times longer. */
  slowdown: factor,
  /** Answers of later requests are this many times longer, as far as their max_tokens allows. */
  outputFactor: factor,
  /** Share of the KV cache that is really there. Who has no more room in it waits again, or is ended where it is too long for what is left. */
  kvFactor: z.number().min(0.01).max(1).default(1),
  /** The engine ends as one does that runs out of memory, as soon as it uses more of its KV cache than this share; null for never. */
  outOfMemoryAtKvUsage: z.number().min(0).max(1).nullable().default(null),
});
export type Faults = z.output<typeof faultsSchema>;

export const NO_FAULTS: Readonly<Faults> = faultsSchema.parse({});
