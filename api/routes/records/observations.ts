/** /api/v1/observations and /api/v1/slo-attainment */
import { z } from '@hono/zod-openapi';
import type { Observation } from '../../../core/domain/observation.ts';
import { listObservations, type ObservationRow, readObservation, sloAttainment } from '../../../db/queries/observation-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter, timeFilter } from '../../schema/common.ts';
import type { ObservationResource } from '../../schema/index.ts';
import { observationResourceSchema } from '../../schema/records.ts';
import { sloAttainmentSchema } from '../../schema/slo-policies.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems, serialParam, tenantFilter } from '../route.ts';

const tags = ['observations'];
const query = listQuery({
  deployment: textFilter.optional(),
  tenant: textFilter.optional(),
  since: timeFilter.optional(),
});
const DEFAULT_WINDOW_SECONDS = 300;
const MAX_WINDOW_SECONDS = 7 * 86_400;
const windowQuery = z.strictObject({
  windowSeconds: z.coerce.number().int().min(1).max(MAX_WINDOW_SECONDS).default(DEFAULT_WINDOW_SECONDS),
});

export function observationRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer', tenants: true },
        tags,
        summary: 'List observations',
        description: 'What was predicted for each request, and what happened. Prompts are never stored.',
        request: { query },
        responses: { 200: jsonContent(listOf(observationResourceSchema, 'ObservationList'), 'Newest first.'), ...problems(404) },
      }),
      async (c) => {
        const { deployment, tenant, since, ...page } = c.req.valid('query');
        const filter = {
          deployment,
          tenant: tenantFilter(c.get('principal'), tenant),
          since: since === undefined ? undefined : new Date(since),
        };
        return c.json(listAnswer(await listObservations(db, pageRequest(page), filter), presentObservation), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer', tenants: true },
        tags,
        summary: 'Read an observation',
        request: { params: serialParam },
        responses: { 200: jsonContent(observationResourceSchema, 'The observation.'), ...problems(404) },
      }),
      async (c) => c.json(presentObservation(await readObservation(db, c.req.valid('param').id, c.get('principal').tenant)), 200),
    );
}

export function sloAttainmentRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      method: 'get',
      path: '/',
      access: { role: 'viewer', tenants: true },
      tags: ['slo-policies', 'observations'],
      summary: 'How far each SLO policy is attained',
      request: { query: windowQuery },
      responses: {
        200: jsonContent(listOf(sloAttainmentSchema, 'SloAttainmentList'), 'By policy, class and deployment.'),
        ...problems(404),
      },
    }),
    async (c) => {
      const { windowSeconds } = c.req.valid('query');
      const rows = await sloAttainment(db, new Date(Date.now() - windowSeconds * 1000), c.get('principal').tenant);
      return c.json({ items: rows.map((row) => ({ ...row, windowSeconds })) }, 200);
    },
  );
}

function presentObservation({ acceptedAt, outcome, ...row }: ObservationRow): ObservationResource {
  return { ...row, outcome: outcome as Observation['outcome'], acceptedAt: acceptedAt.toISOString() };
}
