/** /api/v1/audit */
import { type AuditRow, listAudit, loadAudit } from '../../../db/queries/audit.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter, timeFilter } from '../../schema/common.ts';
import type { AuditResource } from '../../schema/index.ts';
import { auditResourceSchema } from '../../schema/records.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems, serialParam, tenantFilter } from '../route.ts';

const tags = ['audit'];
const query = listQuery({
  actor: textFilter.optional(),
  action: textFilter.optional(),
  kind: textFilter.optional(),
  name: textFilter.optional(),
  tenant: textFilter.optional(),
  since: timeFilter.optional(),
  until: timeFilter.optional(),
});

export function auditRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer', tenants: true },
        tags,
        summary: 'List audit entries',
        description: 'Who changed what. Every entry was written in the transaction of its change.',
        request: { query },
        responses: { 200: jsonContent(listOf(auditResourceSchema, 'AuditList'), 'Newest first.'), ...problems(404) },
      }),
      async (c) => {
        const { limit, cursor, since, until, ...wanted } = c.req.valid('query');
        const filter = {
          ...wanted,
          tenant: tenantFilter(c.get('principal'), wanted.tenant),
          since: since === undefined ? undefined : new Date(since),
          until: until === undefined ? undefined : new Date(until),
        };
        return c.json(listAnswer(await listAudit(db, pageRequest({ limit, cursor }), filter), presentAudit), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer', tenants: true },
        tags,
        summary: 'Read an audit entry',
        request: { params: serialParam },
        responses: { 200: jsonContent(auditResourceSchema, 'The entry.'), ...problems(404) },
      }),
      async (c) => c.json(presentAudit(await loadAudit(db, c.req.valid('param').id, c.get('principal').tenant)), 200),
    );
}

function presentAudit(row: AuditRow): AuditResource {
  return { ...row, at: row.at.toISOString() };
}
