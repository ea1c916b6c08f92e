/** What waits for an operator because of a deployment's mode, and what became of it. */
import { z } from '@hono/zod-openapi';
import { deploymentOutlookSchema, moveSchema } from '../../core/domain/plan.ts';
import { proposalKindSchema, proposalStateSchema } from '../../core/domain/proposal.ts';
import { timeSchema } from './common.ts';

export const proposalResourceSchema = z
  .object({
    id: z.string(),
    deployment: z.string(),
    kind: z
      .enum(proposalKindSchema.options)
      .openapi({ description: '`rebalance`: moves of a plan; `reshape`: a rollout of the engine with other flags.' }),
    state: z.enum(proposalStateSchema.options).openapi({ description: '`noted` in shadow mode, `open` while an operator may approve it.' }),
    summary: z.string().openapi({ description: 'What it would do.' }),
    reasons: z.array(z.string()),
    moves: z.array(moveSchema),
    outlook: deploymentOutlookSchema
      .nullable()
      .openapi({ description: 'Replicas, money and predicted attainment before and after; null where that is not known.' }),
    planId: z.string().nullable(),
    correctionId: z.number().int().nullable(),
    createdAt: timeSchema,
    expiresAt: timeSchema,
    decidedAt: timeSchema.nullable(),
    decidedBy: z.string().nullable(),
    outcome: z.string().openapi({ description: 'What became of it.' }),
  })
  .openapi('Proposal');
export type ProposalResource = z.infer<typeof proposalResourceSchema>;

export const proposalDecisionSchema = z.enum(['approve', 'decline']);
export type ProposalDecision = z.infer<typeof proposalDecisionSchema>;

export const proposalDecisionInputSchema = z.strictObject({ reason: z.string().max(1000).default('') }).openapi('ProposalDecision');
