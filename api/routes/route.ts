/** What route files share: an app that refuses bad input in one way, and the words that its document repeats. */
import { createRoute as createOpenApiRoute, OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi';
import type { Principal } from '../../core/domain/access.ts';
import { notFound, UellmError } from '../../core/domain/errors.ts';
import { fieldIssues } from '../../core/domain/validate.ts';
import type { Page } from '../../db/queries/page.ts';
import { authorize, type RouteAccess } from '../access.ts';
import type { ApiEnv } from '../context.ts';
import { idempotencyKeyParameter } from '../idempotency.ts';
import { requireBody } from '../request-body.ts';
import { pageQuery, problemSchema } from '../schema/common.ts';
import { cursorOf } from './cursor.ts';
import { refuseIfMatch } from './etag.ts';

const INPUTS = {
  json: 'the request body',
  query: 'the query',
  header: 'a header',
  param: 'the path',
  form: 'the form',
  cookie: 'a cookie',
};

/** An app of routes. What fails validation throws `invalid-input`; a name that could not be one names nothing. */
export function newRoutes(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result, c) => {
      if (result.success) return;
      if (result.target === 'param') throw notFound('resource', c.req.path);
      const { data } = result as { data?: unknown };
      throw new UellmError({ kind: 'invalid-input', what: INPUTS[result.target], issues: fieldIssues(result.error, data) });
    },
  });
}

/**
 * A route with what it asks of its caller. In the document `x-uellm-access` says the same; `checkAccessDeclared` refuses an API with a route
 * that was made otherwise.
 */
export function createRoute<P extends string, R extends Omit<RouteConfig, 'path' | 'middleware'> & { path: P; access: RouteAccess }>(
  config: R,
) {
  const { access, ...route } = config;
  const parameters = route.method === 'post' ? { parameters: [idempotencyKeyParameter] } : {};
  const isUnversioned = route.method !== 'get' && route.request?.headers === undefined;
  const middleware = [
    authorize(access),
    ...(isUnversioned ? [refuseIfMatch] : []),
    ...(route.request?.body?.required ? [requireBody] : []),
  ];
  const responses = { ...route.responses, ...(isUnversioned ? { 412: problem(412) } : {}) };
  return createOpenApiRoute({ ...route, responses, ...parameters, middleware, 'x-uellm-access': access });
}

/** @throws Error that names a route under /api whose file forgot who may ask */
export function checkAccessDeclared(app: OpenAPIHono<ApiEnv>): void {
  const declared = new Set<string>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route' || !definition.route['x-uellm-access']) continue;
    const { method, path } = definition.route;
    declared.add(`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`);
  }
  for (const { method, path } of app.routes) {
    const guards = method === 'ALL' && path.endsWith('*');
    if (!path.startsWith('/api/') || guards || declared.has(`${method} ${path}`)) continue;
    throw new Error(`${method} ${path} does not declare who may ask: make it with createRoute of api/routes/route.ts`);
  }
}

const PROBLEMS = {
  400: 'The request is malformed: its body is not JSON, or a parameter that it needs is not there.',
  401: 'A key or a token is needed, and this is none that is known.',
  403: "Not this caller's: another role is needed, it is not its tenant's, or (without keys) not from here.",
  404: 'There is no such object.',
  409: 'Not possible in this state; `detail` says which state that is.',
  412: 'If-Match names another version, or one of what has none.',
  413: 'The body is too large.',
  415: 'The body has to be application/json.',
  422: 'Some field is not valid; `issues` names each.',
  429: 'Too many failed authentications from this address; Retry-After says when to try again.',
  500: 'Something failed that should not.',
  503: 'Postgres, Temporal or a worker is away; worth trying again.',
} as const;
type ProblemStatus = keyof typeof PROBLEMS;

const problem = (status: ProblemStatus) => ({
  description: PROBLEMS[status],
  content: { 'application/problem+json': { schema: problemSchema } },
});

/** The problems that any route may answer with, and those of this one. */
export function problems(...own: ProblemStatus[]) {
  const statuses: ProblemStatus[] = [401, 403, ...own, 422, 429, 500, 503];
  return Object.fromEntries(statuses.sort().map((status) => [status, problem(status)]));
}
/** Statuses of routes that read a body. */
export const BODY_PROBLEMS = [400, 413, 415] as const satisfies ProblemStatus[];

export function jsonContent<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

export function jsonBody<S extends z.ZodType>(schema: S, required = true) {
  return { body: { required, content: { 'application/json': { schema } } } };
}

/** A path that ends in a serial number. */
export const serialParam = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

/** The query of a list: its page and its filters, and nothing else. */
export function listQuery<F extends z.core.$ZodShape>(filters: F) {
  return z.strictObject({ ...pageQuery, ...filters });
}

/** What a list is filtered by: a caller of one tenant sees nothing else, whatever it asks for. @throws not-found for another's */
export function tenantFilter({ tenant }: Pick<Principal, 'tenant'>, asked: string | undefined): string | null {
  if (tenant !== null && asked !== undefined && asked !== tenant) throw notFound('tenant', asked);
  return tenant ?? asked ?? null;
}

/** A page of rows as the answer to a list. */
export function listAnswer<Row, Item>(page: Page<Row>, present: (row: Row) => Item): { items: Item[]; next?: string } {
  const items = page.items.map(present);
  return page.next === null ? { items } : { items, next: cursorOf(page.next) };
}
