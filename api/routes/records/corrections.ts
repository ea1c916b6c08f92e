/** /api/v1/corrections */
import { createRoute } from '@hono/zod-openapi';
import { type CorrectionRow, listCorrections, readCorrection } from '../../../db/queries/correction-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf } from '../../schema/common.ts';
import type { CorrectionResource } from '../../schema/index.ts';
import { correctionResourceSchema } from '../../schema/records.ts';
import { pageRequest } from '../cursor.ts';
import { jsonContent, listAnswer, listQuery, newRoutes, problems, serialParam } from '../route.ts';

const tags = ['corrections'];

export function correctionRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        tags,
        summary: 'List corrections',
        request: { query: listQuery({}) },
        responses: { 200: jsonContent(listOf(correctionResourceSchema, 'CorrectionList'), 'Newest first.'), ...problems() },
      }),
      async (c) => c.json(listAnswer(await listCorrections(db, pageRequest(c.req.valid('query'))), presentCorrection), 200),
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        tags,
        summary: 'Read a correction',
        request: { params: serialParam },
        responses: { 200: jsonContent(correctionResourceSchema, 'The correction.'), ...problems(404) },
      }),
      async (c) => c.json(presentCorrection(await readCorrection(db, c.req.valid('param').id)), 200),
    );
}

function presentCorrection(row: CorrectionRow): CorrectionResource {
  return { ...row, createdAt: row.createdAt.toISOString(), undoneAt: row.undoneAt?.toISOString() ?? null };
}
