/**
 * The five routes of every declared object: list, create, read, replace, delete. What is particular to a kind (its tables, what it
 * refers to, what keeps it from being deleted) comes from the folder of that kind; here is what none may forget: one transaction,
 * the audit row in it, versions and If-Match.
 */
import { isDeepStrictEqual } from 'node:util';
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import { nameSchema } from '../../core/domain/names.ts';
import type { Executor } from '../../db/client.ts';
import { recordAudit } from '../../db/queries/audit.ts';
import type { Page, PageRequest } from '../../db/queries/page.ts';
import type { ApiDependencies, ApiEnv } from '../context.ts';
import { listOf, prefixFilter } from '../schema/common.ts';
import { pageRequest } from './cursor.ts';
import { checkIfMatch, etagOf } from './etag.ts';
import { BODY_PROBLEMS, createRoute, jsonBody, jsonContent, listAnswer, listQuery, newRoutes, problems } from './route.ts';

/** By what a kind's list may be filtered, beside its names. */
type Filters = Record<string, z.ZodOptional<z.ZodType<string>>>;

export interface DeclaredKind<
  Spec extends { name: string },
  View extends { version: number; spec: Spec },
  F extends Filters = Record<never, never>,
> {
  /** Last segment of its address, and what audit rows call it. */
  path: 'hosts' | 'models' | 'slo-policies' | 'tenants' | 'deployments';
  /** As sentences call one of it. */
  what: string;
  /** Its name in the OpenAPI document. */
  title: string;
  input: z.ZodType<Spec>;
  resource: z.ZodType;
  /** The tenant whose it is, which may then read it; null for the fleet's. Absent of a kind that is all the fleet's. */
  tenantOf?(spec: Spec): string | null;
  filters?: F;
  /** @param tenant whose alone; null for all, and always for kinds without `tenantOf` */
  list(db: Executor, page: PageRequest, tenant: string | null, where: { [K in keyof F]?: z.output<F[K]> }): Promise<Page<View>>;
  /** @throws not-found */
  read(db: Executor, name: string): Promise<View>;
  /** Holds the row until the transaction ends. @throws not-found */
  lock(tx: Executor, name: string): Promise<{ spec: Spec; version: number }>;
  /** The object as it will be, where what it leaves out is not a default. @param before null of a new one */
  completed?(spec: Spec, before: Spec | null): Spec;
  /** @throws already-exists, invalid-input for a reference to nothing */
  create(tx: Executor, spec: Spec): Promise<void>;
  /** @throws conflict, invalid-input */
  replace(tx: Executor, spec: Spec, before: Spec): Promise<void>;
  /** What deleting one may be asked to do besides; nothing where absent. */
  removal?: z.ZodObject<{ drain: z.ZodType<Removal['drain']> }, z.core.$strict>;
  /** @throws conflict while it is in use */
  remove(tx: Executor, spec: Spec, actor: string, removal: Removal): Promise<void>;
  present(view: View): unknown;
}

/** Query parameters of a deletion. */
export interface Removal {
  /** Drain and stop first what still serves. */
  drain?: 'true' | 'false' | undefined;
}

export const nameParam = z.object({ name: nameSchema });
const ifMatchHeader = z.object({
  'if-match': z.string().optional().openapi({ description: 'The ETag of the version to change; `*` for any.', example: '*' }),
});
const etagHeader = { ETag: { description: 'The version, in quotes.', schema: { type: 'string' as const } } };

export function declaredRoutes<
  Spec extends { name: string },
  View extends { version: number; spec: Spec },
  F extends Filters = Record<never, never>,
>({ database: { db } }: ApiDependencies, kind: DeclaredKind<Spec, View, F>): OpenAPIHono<ApiEnv> {
  const { path, what, title } = kind;
  const tags = [path];
  const tenants = kind.tenantOf !== undefined;
  const completed = (spec: Spec, before: Spec | null) => kind.completed?.(spec, before) ?? spec;
  const tenantOf = (spec: Spec) => kind.tenantOf?.(spec) ?? null;
  const one = { ...jsonContent(kind.resource, `The ${what}.`), headers: etagHeader };

  return newRoutes()
    .openapi(
      createRoute({
        method: 'get',
        path: '/',
        access: { role: 'viewer', tenants },
        tags,
        summary: 'List them',
        request: { query: listQuery({ prefix: prefixFilter, ...(kind.filters as Filters) }) },
        responses: { 200: jsonContent(listOf(kind.resource, `${title}List`), 'By name.'), ...(tenants ? problems(404) : problems()) },
      }),
      async (c) => {
        const { limit, cursor, prefix, ...where } = c.req.valid('query');
        const { tenant } = c.get('principal');
        const found = await kind.list(db, pageRequest({ limit, cursor, prefix }), tenant, where as { [K in keyof F]?: z.output<F[K]> });
        return c.json(listAnswer(found, kind.present), 200);
      },
    )
    .openapi(
      createRoute({
        method: 'post',
        path: '/',
        access: { role: 'operator' },
        tags,
        summary: 'Create one',
        request: jsonBody(kind.input),
        responses: {
          201: { ...one, headers: { ...etagHeader, Location: { schema: { type: 'string' as const } } } },
          ...problems(...BODY_PROBLEMS, 409),
        },
      }),
      async (c) => {
        const spec = completed(specOf<Spec>(c.req.valid('json')), null);
        const view = await db.transaction(async (tx) => {
          await recordAudit(tx, {
            actor: c.get('actor'),
            action: 'create',
            kind: path,
            name: spec.name,
            tenant: tenantOf(spec),
            after: spec,
          });
          await kind.create(tx, spec);
          return kind.read(tx, spec.name);
        });
        return c.json(kind.present(view), 201, { etag: etagOf(view.version), location: `/api/v1/${path}/${spec.name}` });
      },
    )
    .openapi(
      createRoute({
        method: 'get',
        path: '/{name}',
        access: { role: 'viewer', tenants },
        tags,
        summary: 'Read one',
        request: { params: nameParam },
        responses: { 200: one, ...problems(404) },
      }),
      async (c) => {
        const { name } = c.req.valid('param');
        const view = await kind.read(db, name);
        const { tenant } = c.get('principal');
        if (tenant !== null && tenantOf(view.spec) !== tenant) throw notFound(what, name);
        return c.json(kind.present(view), 200, { etag: etagOf(view.version) });
      },
    )
    .openapi(
      createRoute({
        method: 'put',
        path: '/{name}',
        access: { role: 'operator' },
        tags,
        summary: 'Replace one',
        description: 'The whole object. Where nothing differs, nothing changes, its version included.',
        request: { params: nameParam, headers: ifMatchHeader, ...jsonBody(kind.input) },
        responses: { 200: one, ...problems(...BODY_PROBLEMS, 404, 409, 412) },
      }),
      async (c) => {
        const { name } = c.req.valid('param');
        const given = specOf<Spec>(c.req.valid('json'));
        if (given.name !== name) throw renamed(what, given.name, name);
        const view = await db.transaction(async (tx) => {
          const before = await kind.lock(tx, name);
          checkIfMatch(c.req.valid('header')['if-match'], before.version);
          const spec = completed(given, before.spec);
          if (!isDeepStrictEqual(spec, before.spec)) {
            await recordAudit(tx, {
              actor: c.get('actor'),
              action: 'replace',
              kind: path,
              name,
              tenant: tenantOf(spec),
              before: before.spec,
              after: spec,
            });
            await kind.replace(tx, spec, before.spec);
          }
          return kind.read(tx, name);
        });
        return c.json(kind.present(view), 200, { etag: etagOf(view.version) });
      },
    )
    .openapi(
      createRoute({
        method: 'delete',
        path: '/{name}',
        access: { role: 'operator' },
        tags,
        summary: 'Delete one',
        request: { params: nameParam, headers: ifMatchHeader, query: kind.removal ?? z.strictObject({}) },
        responses: { 204: { description: 'It is gone.' }, ...problems(404, 409, 412) },
      }),
      async (c) => {
        const { name } = c.req.valid('param');
        await db.transaction(async (tx) => {
          const before = await kind.lock(tx, name);
          checkIfMatch(c.req.valid('header')['if-match'], before.version);
          await recordAudit(tx, {
            actor: c.get('actor'),
            action: 'delete',
            kind: path,
            name,
            tenant: tenantOf(before.spec),
            before: before.spec,
          });
          await kind.remove(tx, before.spec, c.get('actor'), c.req.valid('query'));
        });
        return c.body(null, 204);
      },
    );
}

/** An object without the `status` that it was read with. */
function specOf<Spec>(input: unknown): Spec {
  const { status: _, ...spec } = input as Spec & { status?: unknown };
  return spec as Spec;
}

function renamed(what: string, given: string, name: string): UellmError {
  const issue = { field: 'name', given: JSON.stringify(given), allowed: `"${name}", as in the address: a ${what} keeps its name` };
  return new UellmError({ kind: 'invalid-input', what: 'the request body', issues: [issue] });
}
