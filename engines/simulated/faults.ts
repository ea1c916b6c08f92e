/** Faults that tests put into a running simulated engine, so that what the control plane expected of it is wrong. */
import { z } from 'zod';

const factor = z.number().min(0.01).max(100).default(1);

/** The body of `POST /simulated/faults`; what is absent goes back to 1. */
export const faultsSchema = z.strictObject({
  /** Steps take this many times longer. */
  slowdown: factor,
  /** Answers of later requests are this many times longer, as far as their max_tokens allows. */
  outputFactor: factor,
});
export type Faults = z.output<typeof faultsSchema>;
