import { z } from '@hono/zod-openapi';
import { replicaSchema, replicaStateSchema } from '../../core/domain/replica.ts';
import { timeSchema } from './common.ts';

export const replicaResourceSchema = replicaSchema
  .omit({ acceleratorKind: true, weight: true, reason: true })
  .extend({
    status: z.object({
      acceleratorKind: z.string(),
      weight: z.number().openapi({ description: "Share of its deployment's traffic relative to its siblings." }),
      reason: z.string().openapi({ description: 'Why it is in its state.' }),
      unreachable: z.string().nullable().openapi({
        description: 'Why a live gateway gets no answer from it, whatever its state; null where it answers, or is not routed.',
      }),
      planId: z.string().nullable(),
      capacityRequestsPerSecond: z.number().nullable(),
      maxInFlight: z.number().int(),
      kvCacheTokens: z.number().int().nullable(),
      memory: z
        .object({
          weightsBytes: z.number(),
          kvCacheBytes: z.number().nullable().openapi({ description: 'Set aside for contexts; null where its engine has not said.' }),
          kvUsage: z.number().nullable().openapi({ description: 'Share of that in use, 0 to 1, as the gateways see it.' }),
        })
        .nullable()
        .openapi({ description: 'Of each of its accelerators. null where it has ended, or the shape of its model is not known here.' }),
      createdAt: timeSchema,
      updatedAt: timeSchema,
      endedAt: timeSchema.nullable(),
    }),
  })
  .openapi('Replica');
export type ReplicaResource = z.infer<typeof replicaResourceSchema>;

/** `state=ready,draining`: any of them. */
export const replicaStatesSchema = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(replicaStateSchema))
  .openapi({
    type: 'string',
    description: `One or several of ${replicaStateSchema.options.join(', ')}, with commas between.`,
    example: 'ready,draining',
  });
