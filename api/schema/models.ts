import { z } from '@hono/zod-openapi';
import { modelSchema } from '../../core/domain/model-spec.ts';
import { declaredStatus, ignoredStatus } from './common.ts';

export const modelInputSchema = modelSchema.safeExtend({ status: ignoredStatus }).openapi('ModelInput');
export type ModelInput = z.input<typeof modelInputSchema>;

export const modelResourceSchema = modelSchema
  .safeExtend({
    status: z.object({
      ...declaredStatus,
      deployments: z.array(z.string()),
      shape: z
        .object({
          parameters: z.number(),
          weightsBytes: z.number(),
          kvBytesPerToken: z.number(),
          maxContextTokens: z.number(),
        })
        .nullable()
        .openapi({ description: 'What its config says of its size; null until its config is known.' }),
    }),
  })
  .openapi('Model');
export type ModelResource = z.output<typeof modelResourceSchema>;
