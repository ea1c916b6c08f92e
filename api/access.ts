/**
 * Who may ask. With keys, whoever holds one (as `Authorization: Bearer`) is the admin. Without, the API is bound to loopback and whoever
 * reaches it is the admin; so that no web page can reach it through its visitor's browser, Host must be loopback (DNS rebinding) and
 * Origin, where a browser sends it, the same origin.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { UellmError } from '../core/domain/errors.ts';
import type { ApiEnv } from './context.ts';

const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);
const LOOPBACK_ADDRESSES = new Set(['127.0.0.1', '::1', 'localhost']);

/** @throws invalid-input where anyone on the network could be admin */
export function checkBinding(address: string, apiKeys: readonly string[]): void {
  if (apiKeys.length > 0 || LOOPBACK_ADDRESSES.has(address)) return;
  const issue = {
    field: 'address',
    given: JSON.stringify(address),
    allowed: 'a loopback address (127.0.0.1, ::1), or any address once UELLM_API_KEY is set',
  };
  throw new UellmError({ kind: 'invalid-input', what: 'the address of the API', issues: [issue] });
}

/** For every path: without keys, only from this machine and its own pages. */
export function guardLoopback(apiKeys: readonly string[]): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (apiKeys.length === 0) {
      const host = hostOf(c);
      const name = host.replace(/:\d+$/, '').toLowerCase();
      if (!LOOPBACK_NAMES.has(name)) throw forbidden(`the Host header is '${host}', and without an API key only loopback names are served`);
      const origin = c.req.header('origin');
      if (origin !== undefined && origin !== `http://${host}`) throw forbidden(`requests of pages from '${origin}' are not served`);
    }
    await next();
  };
}

/** For everything under /api: names the actor, or refuses. */
export function authenticate(apiKeys: readonly string[]): MiddlewareHandler<ApiEnv> {
  const digests = apiKeys.map(digest);
  return async (c, next) => {
    if (digests.length > 0) {
      const [, given] = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '') ?? [];
      if (given === undefined) throw unauthorized('an API key is needed: Authorization: Bearer <key>');
      const hash = digest(given);
      // Every digest is compared, each in constant time.
      const known = digests.map((d) => timingSafeEqual(d, hash)).includes(true);
      if (!known) throw unauthorized('the API key is not known');
    }
    c.set('actor', 'admin');
    await next();
  };
}

function hostOf(c: Context): string {
  return c.req.header('host') ?? new URL(c.req.url).host;
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

const forbidden = (reason: string) => new UellmError({ kind: 'forbidden', reason });
const unauthorized = (reason: string) => new UellmError({ kind: 'unauthorized', reason });
