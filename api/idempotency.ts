/**
 * POSTs with an Idempotency-Key (after draft-ietf-httpapi-idempotency-key-header): whoever does not know whether a request arrived sends it again
 * under the same key and gets the answer of the first, for a day. Keys of different callers do not meet. An answer that must not be stored, as it
 * holds a secret, is not: a repeat is told where the object is. What failed (5xx) changed nothing, and leaves its key free. Where the API ended
 * before it had answered, nobody knows what became of it, so that a repeat is refused and not done twice.
 */
import { createHash } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { conflict, UellmError } from '../core/domain/errors.ts';
import type { Database } from '../db/client.ts';
import { claimIdempotencyKey, type IdempotentAnswer, keepAnswer, releaseIdempotencyKey } from '../db/queries/idempotent-answers.ts';
import type { ApiEnv } from './context.ts';
import { toProblem } from './problem.ts';

const PATTERN = '^[!-~]{1,255}$';
const KEPT_HEADERS = ['content-type', 'etag', 'location'];

/** As it stands in the document, with every POST. */
export const idempotencyKeyParameter = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description: 'Any text, new for each request. The same request under it again gets the same answer for 24 h, and does nothing twice.',
  schema: { type: 'string' as const, pattern: PATTERN },
};

/** Behind `authenticate`: it has to know whose the keys are. */
export function answerOnce(db: Database): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = c.req.method === 'POST' ? c.req.header('idempotency-key') : undefined;
    if (key === undefined) return next();
    if (!new RegExp(PATTERN).test(key)) throw invalidKey(key, '1 to 255 visible ASCII characters');
    const id = { caller: c.get('actor'), key };
    const request = await digestOf(c);
    const first = await claimIdempotencyKey(db, id, request);
    if (!first) {
      await next();
      if (c.res.status >= 500) return releaseIdempotencyKey(db, id);
      // It is done: an answer that cannot be kept is one that a repeat does not get.
      return keepAnswer(db, id, await answerToKeep(c, key)).catch(() => undefined);
    }
    if (first.request !== request) throw invalidKey(key, 'the request that came under it before, or a key that is new');
    if (!first.answer)
      throw conflict(
        'Idempotency-Key',
        key,
        'the first request under it is not answered: it is under way, or was broken off; look before you repeat it',
      );
    const { status, headers, body } = first.answer;
    return c.body(body, status as ContentfulStatusCode, { ...headers, 'idempotency-replayed': 'true' });
  };
}

async function digestOf(c: Context): Promise<string> {
  const { pathname, search } = new URL(c.req.url);
  return createHash('sha256')
    .update(`POST ${pathname}${search}\n`)
    .update(await c.req.text())
    .digest('hex');
}

async function answerToKeep({ req, res }: Context, key: string): Promise<IdempotentAnswer> {
  if (res.headers.get('cache-control') === 'no-store') {
    const reason = `made ${res.headers.get('location')}, and its secret was shown once; revoke it, and make another under another key`;
    const { problem } = toProblem(conflict('Idempotency-Key', key, reason), req.path);
    return { status: problem.status, headers: { 'content-type': 'application/problem+json' }, body: JSON.stringify(problem) };
  }
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = res.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return { status: res.status, headers: Object.fromEntries(headers), body: await res.clone().text() };
}

function invalidKey(given: string, allowed: string): UellmError {
  const issue = { field: 'Idempotency-Key', given: JSON.stringify(given).slice(0, 300), allowed };
  return new UellmError({ kind: 'invalid-input', what: 'a header', issues: [issue] });
}
