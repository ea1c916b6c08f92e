import { bigint, index, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core';
import type { DeploymentOutlook } from '../../core/domain/plan.ts';
import type { ProposalBasis, ProposalKind, ProposalState } from '../../core/domain/proposal.ts';

/** What would change a deployment's placement and waits for an operator, or was only noted; with what became of it. */
export const proposals = pgTable(
  'proposals',
  {
    id: text().primaryKey(),
    deployment: text().notNull(),
    kind: text().$type<ProposalKind>().notNull(),
    state: text().$type<ProposalState>().notNull(),
    /** One sentence: what it would do. */
    summary: text().notNull(),
    /** Why, a line each. */
    reasons: jsonb().$type<string[]>().notNull(),
    /** The deployment before and after; null where that is not known. */
    outlook: jsonb().$type<DeploymentOutlook>(),
    basis: jsonb().$type<ProposalBasis>().notNull(),
    /** By which the same is known again. */
    fingerprint: text().notNull(),
    /** The plan with its moves, not to be applied before it is approved. */
    planId: text(),
    /** The correction of monitoring that it would carry out. */
    correctionId: bigint({ mode: 'number' }),
    createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
    expiresAt: timestamp({ withTimezone: true }).notNull(),
    decidedAt: timestamp({ withTimezone: true }),
    decidedBy: text(),
    /** What became of it, in one sentence. */
    outcome: text().notNull().default(''),
  },
  (t) => [index('proposals_deployment').on(t.deployment, t.createdAt), index('proposals_state').on(t.state)],
);
