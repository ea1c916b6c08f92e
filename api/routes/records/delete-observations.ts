/** DELETE /api/v1/observations */
import { z } from '@hono/zod-openapi';
import { recordAudit } from '../../../db/queries/audit.ts';
import { deleteObservationsOf } from '../../../db/queries/observation-deletion.ts';
import type { ApiDependencies } from '../../context.ts';
import { textFilter } from '../../schema/common.ts';
import { observationsDeletedSchema } from '../../schema/records.ts';
import { createRoute, jsonContent, newRoutes, problems, tenantFilter } from '../route.ts';

const query = z.strictObject({ tenant: textFilter.openapi({ description: 'Whose observations are to go.' }) });

export function deleteObservationsRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes().openapi(
    createRoute({
      method: 'delete',
      path: '/',
      access: { role: 'admin', tenants: true },
      tags: ['observations'],
      summary: "Delete a tenant's observations",
      description:
        'Every observation of the tenant that is stored when this is asked, features included, and what snapshots of the profiler know of it alone, ' +
        'in many short transactions: one that breaks off has deleted a part, and may be asked again. What a gateway has not delivered yet (it spools while Postgres is away) arrives afterwards. ' +
        'The audit trail has an entry when it begins (`delete`) and one with the count when it has ended (`deleted`).',
      request: { query },
      responses: { 200: jsonContent(observationsDeletedSchema, 'They are gone.'), ...problems(404) },
    }),
    async (c) => {
      const { tenant } = c.req.valid('query');
      tenantFilter(c.get('principal'), tenant);
      const entry = { actor: c.get('actor'), kind: 'observations', name: tenant, tenant };
      await recordAudit(db, { ...entry, action: 'delete' });
      const deleted = await deleteObservationsOf(db, tenant);
      await recordAudit(db, { ...entry, action: 'deleted', after: { deleted } });
      return c.json({ tenant, deleted }, 200);
    },
  );
}
