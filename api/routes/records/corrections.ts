/** /api/v1/corrections */
import { type CorrectionRow, listCorrections, readCorrection } from '../../../db/queries/correction-reads.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { CorrectionResource } from '../../schema/index.ts';
import { correctionResourceSchema } from '../../schema/records.ts';
import { pageRequest } from '../cursor.ts';
import { createRoute, jsonContent, listAnswer, listQuery, newRoutes, problems, serialParam } from '../route.ts';

const tags = ['corrections'];
const query = listQuery({
  kind: textFilter.optional(),
  subject: textFilter.optional(),
  state: correctionResourceSchema.shape.state.optional(),
});

export function correctionRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer' },
        tags,
        summary: 'List corrections',
        request: { query },
        responses: { 200: jsonContent(listOf(correctionResourceSchema, 'CorrectionList'), 'Newest first.'), ...problems() },
      }),
      async (c) => {
        const { limit, cursor, ...where } = c.req.valid('query');
        return c.json(listAnswer(await listCorrections(db, pageRequest({ limit, cursor }), where), presentCorrection), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access: { role: 'viewer' },
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
