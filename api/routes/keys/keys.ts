/** /api/v1/keys. An admin of a tenant holds the keys of that tenant, and of no other. */
import { UellmError } from '../../../core/domain/errors.ts';
import { createKey, type KeyRow, listKeys, readKey, revokeKey } from '../../../db/queries/keys.ts';
import { referToTenant } from '../../../db/queries/tenants.ts';
import type { ApiDependencies } from '../../context.ts';
import { listOf, textFilter } from '../../schema/common.ts';
import type { KeyResource } from '../../schema/index.ts';
import { keyCreatedSchema, keyInputSchema, keyResourceSchema } from '../../schema/keys.ts';
import { pageRequest } from '../cursor.ts';
import {
  BODY_PROBLEMS,
  createRoute,
  jsonBody,
  jsonContent,
  listAnswer,
  listQuery,
  newRoutes,
  problems,
  serialParam,
  tenantFilter,
} from '../route.ts';

const tags = ['keys'];
const access = { role: 'admin', tenants: true } as const;

export function keyRoutes({ database: { db } }: ApiDependencies) {
  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access,
        tags,
        summary: 'List keys',
        request: { query: listQuery({ role: keyInputSchema.shape.role.optional(), tenant: textFilter.optional() }) },
        responses: { 200: jsonContent(listOf(keyResourceSchema, 'KeyList'), 'Newest first.'), ...problems(404) },
      }),
      async (c) => {
        const { role, tenant, ...page } = c.req.valid('query');
        const found = await listKeys(db, pageRequest(page), tenantFilter(c.get('principal'), tenant), role);
        return c.json(listAnswer(found, presentKey), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'post',
        path: '/',
        access,
        tags,
        summary: 'Make a key',
        description:
          'The answer has the key itself, this once: a repeat under the same Idempotency-Key gets 409 and the id. Gateways know it within 2 s. ' +
          'A tenant has to be declared first: without that it has no limits.',
        request: jsonBody(keyInputSchema),
        responses: { 201: jsonContent(keyCreatedSchema, 'The key.'), ...problems(...BODY_PROBLEMS, 409) },
      }),
      async (c) => {
        const { role, tenant, name = null, expiresInSeconds = null } = c.req.valid('json');
        const maker = c.get('principal');
        if (maker.tenant !== null && tenant !== undefined && tenant !== maker.tenant)
          throw new UellmError({ kind: 'forbidden', reason: `a key of tenant '${maker.tenant}' makes keys of that tenant only` });
        const request = { role, tenant: tenant ?? maker.tenant, name, expiresInSeconds };
        const { row, secret } = await db.transaction(async (tx) => {
          if (request.tenant !== null) await referToTenant(tx, request.tenant);
          return createKey(tx, request, maker.actor);
        });
        return c.json({ ...presentKey(row), secret }, 201, { location: `/api/v1/keys/${row.id}`, 'cache-control': 'no-store' });
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{id}',
        access,
        tags,
        summary: 'Read a key',
        description: 'All that is known of it; the key itself is not.',
        request: { params: serialParam },
        responses: { 200: jsonContent(keyResourceSchema, 'The key.'), ...problems(404) },
      }),
      async (c) => c.json(presentKey(await readKey(db, c.req.valid('param').id, c.get('principal').tenant)), 200),
    )
    .openapi(
      createRoute({
        method: 'delete',
        path: '/{id}',
        access,
        tags,
        summary: 'Revoke a key',
        description: 'The API takes it no more from now on, gateways within 2 s. Its row stays, since the audit trail names it.',
        request: { params: serialParam },
        responses: { 204: { description: 'It is revoked.' }, ...problems(404, 409) },
      }),
      async (c) => {
        const { actor, tenant } = c.get('principal');
        await db.transaction((tx) => revokeKey(tx, c.req.valid('param').id, tenant, actor));
        return c.body(null, 204);
      },
    );
}

export function presentKey(row: KeyRow): KeyResource {
  const expired = row.expiresAt !== null && row.expiresAt.getTime() <= Date.now();
  return {
    ...row,
    state: row.revokedAt ? 'revoked' : expired ? 'expired' : 'active',
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}
