/** What a drain leaves behind. */
import { z } from 'zod';

/** Requests that one gateway had open on a replica when it stopped routing to it, by how they ended there. */
export interface Leftover {
  finished: number;
  /** Tried again elsewhere: nothing of an answer had been sent. */
  retried: number;
  /** Ended with an error. */
  dropped: number;
}

/** A replica that left, and how the requests ended that it had. */
export interface RetiredReplica {
  replicaId: string;
  /** Requests that were open when it was unrouted and ended well there. */
  requestsFinished: number;
  /** Those that were ended with an error. */
  requestsDropped: number;
  /** Those that were tried again elsewhere: nothing of an answer had been sent. */
  requestsRetried: number;
  /** Those of gateways that fell silent meanwhile, and how many gateways that were: nobody knows how they ended. */
  requestsUnknown: number;
  gatewaysLost: number;
  /** Else it ends when its host returns. */
  engineStopped: boolean;
}

/** Requests open on a replica now. */
export const openRequestsSchema = z.object({
  replicaId: z.string(),
  open: z.number().int(),
  /** Live gateways that do not yet route by the newest table: what they have sent since is not in `open`. */
  gatewaysBehind: z.array(z.string()),
});
export type OpenRequests = z.infer<typeof openRequestsSchema>;

/**
 * What becomes of a drain that is not over by its deadline. `wait`: it goes on, and says so. `migrate`: requests that still run on the host are
 * ended there, and tried elsewhere where nothing of an answer has been sent. `abort`: the host takes work again; what has moved stays moved.
 */
export const deadlinePolicySchema = z.enum(['wait', 'migrate', 'abort']);
export type DeadlinePolicy = z.infer<typeof deadlinePolicySchema>;

export const drainOptionsSchema = z
  .strictObject({
    /** From the beginning of the drain. */
    deadlineSeconds: z.number().int().min(1).max(604_800).optional(),
    onDeadline: deadlinePolicySchema.default('wait'),
    /** How many replicas of a deployment below its need may be away meanwhile; its `replicas.min` holds all the same. */
    maxUnavailable: z.number().int().min(0).max(1000).default(0),
  })
  .refine((o) => o.deadlineSeconds !== undefined || o.onDeadline === 'wait', {
    path: ['onDeadline'],
    message: 'wait, or a deadlineSeconds beside it',
  });
export type DrainOptions = z.input<typeof drainOptionsSchema>;

export const drainReceiptSchema = z.object({
  host: z.string(),
  planId: z.string().nullable(),
  /** Each replica that left, and where its work went; null where nothing had to replace it. */
  moved: z.array(
    z.object({
      replicaId: z.string(),
      replacedBy: z.string().nullable(),
      toHost: z.string().nullable(),
      seconds: z.number(),
      requestsFinished: z.number().int(),
      requestsDropped: z.number().int(),
      /** false where the host did not answer: the engine ends when the host returns. */
      engineStopped: z.boolean(),
    }),
  ),
  seconds: z.number(),
  /** Of the requests that were open on the host's replicas when routing to them stopped: those that ended well there. */
  requestsFinished: z.number().int(),
  /** Those that ended with an error. */
  requestsDropped: z.number().int(),
  /** Those that were tried again elsewhere: nothing of an answer had been sent. */
  requestsRetried: z.number().int(),
  /** Those of gateways that fell silent meanwhile: nobody knows how they ended. */
  requestsUnknown: z.number().int(),
  /** How many gateways those were. */
  gatewaysLost: z.number().int(),
});
export type DrainReceipt = z.infer<typeof drainReceiptSchema>;

export const drainPhaseSchema = z.enum(['cordoned', 'replacing', 'draining', 'stopping', 'drained', 'blocked', 'failed', 'cancelled']);
export type DrainPhase = z.infer<typeof drainPhaseSchema>;
