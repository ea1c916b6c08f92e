/** /api/v1/rollouts */
import { z } from '@hono/zod-openapi';
import { rolloutPhaseSchema } from '../../../core/domain/rollout.ts';
import { listRollouts, type RolloutRow, readRollout } from '../../../db/queries/rollout-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { RolloutResource } from '../../schema/index.ts';
import { rolloutResourceSchema } from '../../schema/rollouts.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems } from '../route.ts';

const tags = ['rollouts'];
const query = listQuery({ deployment: textFilter.optional(), phase: rolloutPhaseSchema.optional() });
export const rolloutParam = z.object({ id: textFilter });

export function rolloutRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer' },
        tags,
        summary: 'List rollouts',
        request: { query },
        responses: { 200: jsonContent(listOf(rolloutResourceSchema, 'RolloutList'), 'Newest first.'), ...problems() },
      }),
      async (c) => {
        const { deployment, phase, ...page } = c.req.valid('query');
        return c.json(listAnswer(await listRollouts(db, pageRequest(page), { deployment, phase }), presentRollout), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer' },
        tags,
        summary: 'Read a rollout',
        request: { params: rolloutParam },
        responses: { 200: jsonContent(rolloutResourceSchema, 'The rollout.'), ...problems(404) },
      }),
      async (c) => c.json(presentRollout(await readRollout(db, c.req.valid('param').id)), 200),
    );
}

export function presentRollout(row: RolloutRow): RolloutResource {
  return { ...row, startedAt: row.startedAt.toISOString(), endedAt: row.endedAt?.toISOString() ?? null };
}
