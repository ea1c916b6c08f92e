/** From errors to RFC 9457 problem details. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { UellmError, type UellmErrorKind } from '../core/domain/errors.ts';
import { databaseOutage } from '../db/outage.ts';

const STATUS: Record<UellmErrorKind, 400 | 401 | 403 | 404 | 409 | 502 | 503> = {
  'invalid-input': 400,
  'not-found': 404,
  'already-exists': 409,
  conflict: 409,
  refused: 409,
  'stale-generation': 409,
  'engine-failed': 502,
  'disk-full': 502,
  unauthorized: 401,
  forbidden: 403,
  unavailable: 503,
};

/** The answer for anything that a route threw; undefined details stay inside. */
export function problemOf(error: unknown, c: Context): Response {
  const known = error instanceof UellmError ? error : databaseOutage(error);
  if (known) {
    const { detail } = known;
    const status = STATUS[detail.kind];
    if (status === 503) c.header('retry-after', '2');
    if (status === 401) c.header('www-authenticate', 'Bearer');
    return problem(c, status, detail.kind, known.message, detail.kind === 'invalid-input' ? { issues: detail.issues } : {});
  }
  if (error instanceof HTTPException) return problem(c, error.status, 'http', error.message);
  return problem(c, 500, 'internal', 'the profiler failed to answer; its log has the reason');
}

export function problem(c: Context, status: number, kind: string, detail: string, more: Record<string, unknown> = {}): Response {
  const body = { type: `urn:uellm:problem:${kind}`, title: kind.replaceAll('-', ' '), status, detail, instance: c.req.path, ...more };
  return c.body(JSON.stringify(body), { status: status as 400, headers: { 'content-type': 'application/problem+json' } });
}
