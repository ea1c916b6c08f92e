/** Reads a JSON body once, before any route: too large, malformed, or holding text that no database keeps, it goes no further. */
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import type { ApiEnv } from './context.ts';

const MAX_BODY_BYTES = 1024 * 1024;

export const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: () => {
    throw new HTTPException(413, { message: `a request body may have ${MAX_BODY_BYTES} bytes at most` });
  },
});

export const readJsonBody: MiddlewareHandler = async (c, next) => {
  const type = c.req.header('content-type') ?? '';
  if (/^application\/([\w.-]+\+)?json\b/i.test(type)) {
    const text = await c.req.text();
    // An empty body is one without fields: clients that always send the header may leave an optional body out.
    // (Hono types its cache by the values, and keeps promises of them.)
    if (text.trim() === '') c.req.bodyCache.text = Promise.resolve('{}') as unknown as string;
    else checkText(parse(text), []);
  }
  await next();
};

/** In front of routes that cannot do without a body. */
export const requireBody: MiddlewareHandler<ApiEnv> = async (c, next) => {
  if (c.req.header('content-type') === undefined)
    throw new HTTPException(400, { message: 'a JSON body is needed, and a Content-Type of application/json' });
  await next();
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HTTPException(400, { message: `the request body is not JSON: ${messageOf(error)}` });
  }
}

/** Postgres keeps neither NUL nor half of a surrogate pair; and what is nested deeper than this is no object of ours. */
const MAX_DEPTH = 32;

function checkText(value: unknown, path: string[]): void {
  if (typeof value === 'string') requireStorable(value, path);
  if (typeof value !== 'object' || value === null) return;
  if (path.length >= MAX_DEPTH) throw invalidBody(path, 'something nested deeper', `at most ${MAX_DEPTH} levels`);
  for (const [key, child] of Object.entries(value)) {
    requireStorable(key, [...path, key]);
    checkText(child, [...path, key]);
  }
}

function requireStorable(text: string, path: string[]): void {
  if (!text.includes('\0') && !/\p{Surrogate}/u.test(text)) return;
  throw invalidBody(path, JSON.stringify(text).slice(0, 120), 'well-formed Unicode text without NUL characters');
}

function invalidBody(path: string[], given: string, allowed: string): UellmError {
  return new UellmError({ kind: 'invalid-input', what: 'the request body', issues: [{ field: path.join('.'), given, allowed }] });
}
