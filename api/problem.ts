/** The one mapper from what was thrown to RFC 9457 problem details. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Logger } from 'pino';
import { assertNever, UellmError, type UellmErrorDetail } from '../core/domain/errors.ts';
import { databaseOutage } from '../db/outage.ts';
import type { Problem } from './schema/index.ts';

const PROBLEM_JSON = 'application/problem+json';

/** Answers of HTTP itself, which nothing beneath the API could give. */
const HTTP_TITLES: Partial<Record<ContentfulStatusCode, [type: string, title: string]>> = {
  400: ['malformed-request', 'Malformed request'],
  404: ['not-found', 'Not found'],
  405: ['method-not-allowed', 'Method not allowed'],
  412: ['precondition-failed', 'Precondition failed'],
  413: ['too-large', 'Request body too large'],
  415: ['unsupported-media-type', 'Unsupported media type'],
  429: ['too-many-failures', 'Too many failed authentications'],
};

export function problemResponse(c: Context, error: unknown, logger: Logger): Response {
  const { problem, headers } = toProblem(error, c.req.path);
  if (problem.status >= 500) logger.error({ err: error, path: c.req.path, method: c.req.method }, problem.title);
  return c.body(JSON.stringify(problem), problem.status as ContentfulStatusCode, { 'content-type': PROBLEM_JSON, ...headers });
}

export function toProblem(error: unknown, instance: string): { problem: Problem; headers: Record<string, string> } {
  const known = error instanceof UellmError ? error : databaseOutage(error);
  if (known) return ofDetail(known, instance);
  if (error instanceof HTTPException) {
    const [type, title] = HTTP_TITLES[error.status] ?? ['http', 'The request failed'];
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
  const [status, title] = statusOf(detail);
  const problem = make(status, detail.kind, title, message, instance);
  if (detail.kind === 'invalid-input') problem.issues = detail.issues;
  if (detail.kind === 'refused') problem.refusal = detail.refusal;
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="uellm"';
  if (status === 503) headers['retry-after'] = '2';
  return { problem, headers };
}

function statusOf(detail: UellmErrorDetail): [status: ContentfulStatusCode, title: string] {
  switch (detail.kind) {
    case 'invalid-input':
      return [422, 'Invalid input'];
    case 'not-found':
      return [404, 'Not found'];
    case 'already-exists':
      return [409, 'Exists already'];
    case 'conflict':
      return [409, 'Not possible in this state'];
    case 'refused':
      return [409, 'Refused'];
    case 'stale-generation':
      return [409, 'Older generation'];
    case 'engine-failed':
      return [502, 'Engine failed'];
    case 'disk-full':
      return [502, 'Disk full'];
    case 'unauthorized':
      return [401, 'Not authenticated'];
    case 'forbidden':
      return [403, 'Not allowed'];
    case 'unavailable':
      return [503, 'Unavailable'];
    default:
      return assertNever(detail);
  }
}

function make(status: number, type: string, title: string, detail: string, instance: string): Problem {
  return { type: `urn:uellm:problem:${type}`, title, status, detail, instance };
}
