/** From errors to RFC 9457 problem details: in the admin API's words. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { UellmError } from '../core/domain/errors.ts';
import { httpProblem, PROBLEMS } from '../core/domain/problem.ts';
import { databaseOutage } from '../db/outage.ts';

/** The answer for anything that a route threw; undefined details stay inside. */
export function problemOf(error: unknown, c: Context): Response {
  const known = error instanceof UellmError ? error : databaseOutage(error);
  if (known) {
    const { detail } = known;
    const [status, title] = PROBLEMS[detail.kind];
    if (status === 503) c.header('retry-after', '2');
    if (status === 401) c.header('www-authenticate', 'Bearer');
    return problem(
      c,
      { status, type: detail.kind, title, detail: known.message },
      detail.kind === 'invalid-input' ? detail.issues : undefined,
    );
  }
  if (error instanceof HTTPException) return ofHttp(c, error.status, error.message);
  const detail = 'the profiler failed to answer; its log has the reason';
  return problem(c, { status: 500, type: 'internal', title: 'Internal error', detail });
}

export function ofHttp(c: Context, status: number, detail: string): Response {
  const [type, title] = httpProblem(status);
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
