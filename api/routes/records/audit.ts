/** /api/v1/audit */
import { createRoute } from '@hono/zod-openapi';
import { type AuditRow, listAudit, loadAudit } from '../../../db/queries/audit.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { AuditResource } from '../../schema/index.ts';
import { auditResourceSchema } from '../../schema/records.ts';
import { pageRequest } from '../cursor.ts';
import { jsonContent, listAnswer, listQuery, newRoutes, problems, serialParam } from '../route.ts';

const tags = ['audit'];
const query = listQuery({ kind: textFilter.optional(), name: textFilter.optional() });

export function auditRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        tags,
        summary: 'List audit entries',
        description: 'Who changed what. Every entry was written in the transaction of its change.',
        request: { query },
        responses: { 200: jsonContent(listOf(auditResourceSchema, 'AuditList'), 'Newest first.'), ...problems() },
      }),
      async (c) => {
        const { kind, name, ...page } = c.req.valid('query');
        return c.json(listAnswer(await listAudit(db, pageRequest(page), { kind, name }), presentAudit), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        tags,
        summary: 'Read an audit entry',
        request: { params: serialParam },
        responses: { 200: jsonContent(auditResourceSchema, 'The entry.'), ...problems(404) },
      }),
      async (c) => c.json(presentAudit(await loadAudit(db, c.req.valid('param').id)), 200),
    );
}

function presentAudit(row: AuditRow): AuditResource {
  return { ...row, at: row.at.toISOString() };
}
