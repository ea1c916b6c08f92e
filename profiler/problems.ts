/** From errors to RFC 9457 problem details: the same statuses, types and titles as the admin API's. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { UellmError, type UellmErrorKind } from '../core/domain/errors.ts';
import { databaseOutage } from '../db/outage.ts';

const KNOWN: Record<UellmErrorKind, [status: number, title: string]> = {
  'invalid-input': [422, 'Invalid input'],
  'not-found': [404, 'Not found'],
  'already-exists': [409, 'Exists already'],
  conflict: [409, 'Not possible in this state'],
  refused: [409, 'Refused'],
  'stale-generation': [409, 'Older generation'],
  'engine-failed': [502, 'Engine failed'],
  'disk-full': [502, 'Disk full'],
  unauthorized: [401, 'Not authenticated'],
  forbidden: [403, 'Not allowed'],
  unavailable: [503, 'Unavailable'],
};

/** Answers of HTTP itself. */
const OF_HTTP: Record<number, [type: string, title: string]> = {
  400: ['malformed-request', 'Malformed request'],
  404: ['not-found', 'Not found'],
  413: ['too-large', 'Request body too large'],
  429: ['too-many-failures', 'Too many failed authentications'],
  503: ['unavailable', 'Unavailable'],
};

/** The answer for anything that a route threw; undefined details stay inside. */
export function problemOf(error: unknown, c: Context): Response {
  const known = error instanceof UellmError ? error : databaseOutage(error);
  if (known) {
    const { detail } = known;
    const [status, title] = KNOWN[detail.kind];
    if (status === 503) c.header('retry-after', '2');
    if (status === 401) c.header('www-authenticate', 'Bearer');
    return problem(
      c,
      { status, type: detail.kind, title, detail: known.message },
      detail.kind === 'invalid-input' ? detail.issues : undefined,
    );
  }
  if (error instanceof HTTPException) return httpProblem(c, error.status, error.message);
  const detail = 'the profiler failed to answer; its log has the reason';
  return problem(c, { status: 500, type: 'internal', title: 'Internal error', detail });
}

export function httpProblem(c: Context, status: number, detail: string): Response {
  const [type, title] = OF_HTTP[status] ?? ['http', 'The request failed'];
  return problem(c, { status, type, title, detail });
}

interface Problem {
  status: number;
  type: string;
  title: string;
  detail: string;
}

function problem(c: Context, { type, ...of }: Problem, issues?: unknown): Response {
  const body = { type: `urn:uellm:problem:${type}`, ...of, instance: c.req.path, ...(issues ? { issues } : {}) };
  return c.body(JSON.stringify(body), { status: of.status as 400, headers: { 'content-type': 'application/problem+json' } });
}
