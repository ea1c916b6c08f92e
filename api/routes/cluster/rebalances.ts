/** /api/v1/rebalances */
import { randomUUID } from 'node:crypto';
import { z } from '@hono/zod-openapi';
import { conflict, notFound } from '../../../core/domain/errors.ts';
import { recordAudit } from '../../../db/queries/audit.ts';
import { workflowIds } from '../../../workflows/messages.ts';
import type { ApiDependencies } from '../../context.ts';
import { rebalanceInputSchema, rebalanceSchema, rebalanceStartedSchema } from '../../schema/cluster.ts';
import { textFilter } from '../../schema/common.ts';
import type { Rebalance } from '../../schema/index.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, newRoutes, problems } from '../route.ts';

const tags = ['rebalances'];

export function rebalanceRoutes({ database: { db }, actions }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'post',
        path: '/',
        access: { role: 'operator' },
        tags,
        summary: 'Rebalance the cluster',
        request: jsonBody(rebalanceInputSchema, false),
        responses: {
          202: jsonContent(rebalanceStartedSchema, 'Accepted: Location says where to watch it.'),
          ...problems(...BODY_PROBLEMS, 409),
        },
      }),
      async (c) => {
        const { dryRun = false } = c.req.valid('json');
        const requestedBy = c.get('actor');
        const workflowId = dryRun ? workflowIds.rebalanceDryRun(randomUUID()) : workflowIds.rebalance;
        await db.transaction(async (tx) => {
          await recordAudit(tx, { actor: requestedBy, action: 'rebalance', kind: 'rebalances', name: workflowId, after: { dryRun } });
          await actions.startRebalance(workflowId, { dryRun, requestedBy });
        });
        return c.json({ workflowId, dryRun }, 202, { location: `/api/v1/rebalances/${workflowId}` });
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{workflowId}',
        access: { role: 'viewer' },
        tags,
        summary: 'How a rebalance stands',
        request: { params: z.object({ workflowId: textFilter }) },
        responses: { 200: jsonContent(rebalanceSchema, 'The rebalance.'), ...problems(404) },
      }),
      async (c) => {
        const { workflowId } = c.req.valid('param');
        const run = await actions.rebalance(workflowId);
        if (!run) throw notFound('rebalance', workflowId);
        const rebalance: Rebalance = { workflowId, result: null, failure: null, ...run };
        return c.json(rebalance, 200);
      },
    )
    .openapi(
      createRoute({
        method: 'post',
        path: '/cancel',
        access: { role: 'operator' },
        tags,
        summary: 'End the rebalance under way',
        description: 'Moves that are not done are undone, those that are done stay.',
        responses: { 202: jsonContent(rebalanceStartedSchema, 'Accepted: it ends when what it had begun is undone.'), ...problems(409) },
      }),
      async (c) => {
        const actor = c.get('actor');
        const workflowId = workflowIds.rebalance;
        await db.transaction(async (tx) => {
          await recordAudit(tx, { actor, action: 'cancel', kind: 'rebalances', name: workflowId });
          if (!(await actions.cancelRebalance(actor))) throw conflict('rebalance', workflowId, 'none is running');
        });
        return c.json({ workflowId, dryRun: false }, 202, { location: `/api/v1/rebalances/${workflowId}` });
      },
    );
}
