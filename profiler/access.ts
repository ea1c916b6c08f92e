/** Who may ask: holders of a key; without keys, programs of this machine, and no web page of another origin that runs on it. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { UellmError } from '../core/domain/errors.ts';

/** @throws invalid-input for an address that others reach, without a key */
export function checkBinding(address: string, apiKeys: readonly string[]): void {
  if (apiKeys.length > 0 || isLoopback(address)) return;
  const allowed = 'a loopback address, or else an API key (UELLM_API_KEY)';
  throw new UellmError({ kind: 'invalid-input', what: 'address of the profiler', issues: [{ field: 'address', given: address, allowed }] });
}

export function requireAccess(apiKeys: readonly string[]): MiddlewareHandler {
  const digests = apiKeys.map(digest);
  return async (c, next) => {
    if (digests.length > 0) {
      const given = digest(/^Bearer +(.+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '');
      if (!digests.some((known) => timingSafeEqual(known, given))) {
        throw new UellmError({ kind: 'unauthorized', reason: 'this needs an API key, as Authorization: Bearer' });
      }
    } else {
      checkSameMachine(c.req.header('host') ?? '', c.req.header('origin'));
    }
    await next();
  };
}

/** DNS rebinding: a page of some site must not reach us by a name of its own that points here. */
function checkSameMachine(host: string, origin: string | undefined): void {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  if (!isLoopback(name)) throw new UellmError({ kind: 'forbidden', reason: 'without API keys, Host must be a loopback address' });
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new UellmError({ kind: 'forbidden', reason: 'without API keys, Origin must be this server' });
  }
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name);
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
