/** What a drain leaves behind. */
import { z } from 'zod';

export const drainReceiptSchema = z.object({
  host: z.string(),
  planId: z.string().nullable(),
  /** Each replica that left, and where its work went; null where nothing had to replace it. */
  moved: z.array(
    z.object({ replicaId: z.string(), replacedBy: z.string().nullable(), toHost: z.string().nullable(), seconds: z.number() }),
  ),
  seconds: z.number(),
  /** Requests that finished on the host's replicas after routing to them had stopped. */
  requestsFinished: z.number().int(),
  /** Requests that were still running when an engine was stopped. */
  requestsDropped: z.number().int(),
});
export type DrainReceipt = z.infer<typeof drainReceiptSchema>;

export const drainPhaseSchema = z.enum(['cordoned', 'replacing', 'draining', 'stopping', 'drained', 'blocked', 'failed', 'cancelled']);
export type DrainPhase = z.infer<typeof drainPhaseSchema>;
