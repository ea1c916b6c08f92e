import { z } from '@hono/zod-openapi';
import { deploymentModeSchema, deploymentSpecSchema } from '../../core/domain/deployment.ts';
import { rolloutPhaseSchema, rolloutStageSchema } from '../../core/domain/rollout.ts';
import { declaredStatus, ignoredStatus, timeSchema } from './common.ts';

export const deploymentInputSchema = deploymentSpecSchema.safeExtend({ status: ignoredStatus }).openapi('DeploymentInput');
export type DeploymentInput = z.input<typeof deploymentInputSchema>;

export const deploymentResourceSchema = deploymentSpecSchema
  .safeExtend({
    mode: deploymentModeSchema,
    status: z.object({
      ...declaredStatus,
      latestRevision: z.number().int().nullable(),
      currentRevision: z.number().int().nullable().openapi({ description: 'The revision promoted last.' }),
      pendingChange: z.boolean().openapi({ description: 'The spec differs from the newest revision: a rollout would change something.' }),
      modeSince: timeSchema.openapi({ description: 'Since when it is in its mode.' }),
      replicas: z.object({
        ready: z.number().int().openapi({ description: 'Those that serve, and that every live gateway reaches.' }),
        living: z.number().int(),
      }),
      rollout: z
        .object({
          id: z.string(),
          revision: z.number().int(),
          phase: rolloutPhaseSchema,
          stage: rolloutStageSchema,
          reason: z.string(),
        })
        .nullable()
        .openapi({ description: 'The newest rollout, running or ended.' }),
    }),
  })
  .openapi('Deployment');
export type DeploymentResource = z.output<typeof deploymentResourceSchema>;
