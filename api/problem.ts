/** The one mapper from what was thrown to RFC 9457 problem details. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import { UellmError } from '../core/domain/errors.ts';
import { httpProblem, PROBLEMS } from '../core/domain/problem.ts';
import { databaseOutage } from '../db/outage.ts';
import type { Problem } from './schema/index.ts';

const PROBLEM_JSON = 'application/problem+json';

export function problemResponse(c: Context, error: unknown, logger: Logger): Response {
  const { problem, headers } = toProblem(error, c.req.path);
  if (problem.status >= 500) logger.error({ err: error, path: c.req.path, method: c.req.method }, problem.title);
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode, { 'content-type': PROBLEM_JSON, ...headers });
}

export function toProblem(error: unknown, instance: string): { problem: Problem; headers: Record<string, string> } {
  const known = error instanceof UellmError ? error : databaseOutage(error);
  if (known) return ofDetail(known, instance);
  if (error instanceof HTTPException) {
    const [type, title] = httpProblem(error.status);
    const headers = Object.fromEntries(error.res?.headers ?? []);
    return { problem: make(error.status, type, title, error.message || title, instance), headers };
  }
  return {
    problem: make(500, 'internal', 'Internal error', 'something failed that should not; the log of the API says what', instance),
    headers: {},
  };
}

function ofDetail(error: UellmError, instance: string): { problem: Problem; headers: Record<string, string> } {
  const { detail, message } = error;
  const [status, title] = PROBLEMS[detail.kind];
  const problem = make(status, detail.kind, title, message, instance);
  if (detail.kind === 'invalid-input') problem.issues = detail.issues;
  if (detail.kind === 'refused') problem.refusal = detail.refusal;
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="uellm"';
  if (status === 503) headers['retry-after'] = '2';
  return { problem, headers };
}

function make(status: number, type: string, title: string, detail: string, instance: string): Problem {
  return { type: `urn:uellm:problem:${type}`, title, status, detail, instance };
}
