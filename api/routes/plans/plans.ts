/** /api/v1/plans */
import { z } from '@hono/zod-openapi';
import { planPurposeSchema } from '../../../core/domain/plan.ts';
import { listPlans, type PlanRow } from '../../../db/queries/plan-reads.ts';
import { loadPlan } from '../../../db/queries/plans.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { PlanResource } from '../../schema/index.ts';
import { planDiffSchema, planResourceSchema } from '../../schema/plans.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems } from '../route.ts';
import { diffPlans } from './diff.ts';

const tags = ['plans'];
const query = listQuery({ purpose: planPurposeSchema.optional(), subject: textFilter.optional() });

export function planRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer' },
        tags,
        summary: 'List plans',
        request: { query },
        responses: { 200: jsonContent(listOf(planResourceSchema, 'PlanList'), 'Newest first.'), ...problems() },
      }),
      async (c) => {
        const { purpose, subject, ...page } = c.req.valid('query');
        return c.json(listAnswer(await listPlans(db, pageRequest(page), { purpose, subject }), presentPlan), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/diff',
        access: { role: 'viewer' },
        tags,
        summary: 'How placement differs between two plans',
        description: 'Whichever is older is `from`.',
        request: { query: z.strictObject({ from: textFilter, to: textFilter }) },
        responses: { 200: jsonContent(planDiffSchema, 'What came, went, moved and changed its shape.'), ...problems(404) },
      }),
      async (c) => {
        const { from, to } = c.req.valid('query');
        const [a, b] = [await loadPlan(db, from), await loadPlan(db, to)];
        const [older, newer] = a.createdAt <= b.createdAt ? [a, b] : [b, a];
        const { moves: _, ...before } = presentPlan(older);
        const { moves: __, ...after } = presentPlan(newer);
        return c.json({ from: before, to: after, ...(await diffPlans(db, older, newer)) }, 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer' },
        tags,
        summary: 'Read a plan',
        request: { params: z.object({ id: textFilter }) },
        responses: { 200: jsonContent(planResourceSchema, 'The plan.'), ...problems(404) },
      }),
      async (c) => c.json(presentPlan(await loadPlan(db, c.req.valid('param').id)), 200),
    );
}

function presentPlan(row: PlanRow): PlanResource {
  return { ...row, createdAt: row.createdAt.toISOString() };
}
