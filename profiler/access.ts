/**
 * Who may ask: holders of a key of the whole fleet, a viewer to read and an operator for the rest. Where the profiler is open, bound to loopback
 * without a key in the environment, programs of this machine, and no web page of another origin that runs on it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { bearerToken, includesRole, isLoopbackAddress, type Role } from '../core/domain/access.ts';
import { UellmError } from '../core/domain/errors.ts';
import { FailedAttempts } from '../core/domain/failed-attempts.ts';
import type { Database } from '../db/client.ts';
import { hasAdminKey, useKey } from '../db/queries/keys.ts';

/** A database that is away may have keys; nobody gets in before it is back. @throws invalid-input for an address that others reach, without a key */
export async function checkBinding(address: string, apiKeys: readonly string[], db: Database): Promise<void> {
  if (apiKeys.length > 0 || isLoopback(address) || (await hasAdminKey(db).catch(() => true))) return;
  const allowed =
    'a loopback address, or else an API key: UELLM_API_KEY, or one in the database (uellm keys create --offline --role admin)';
  throw new UellmError({ kind: 'invalid-input', what: 'address of the profiler', issues: [{ field: 'address', given: address, allowed }] });
}

/** @param open without a key, all of this machine gets in */
export function requireAccess({ apiKeys, open }: { apiKeys: readonly string[]; open: boolean }, db: Database): MiddlewareHandler {
  const digests = apiKeys.map(digest);
  const attempts = new FailedAttempts();
  return async (c, next) => {
    if (open) checkSameMachine(c.req.header('host') ?? '', c.req.header('origin'));
    else {
      const address = addressOf(c);
      const waitMs = attempts.waitMs(address, performance.now());
      if (waitMs > 0) {
        c.header('retry-after', String(Math.ceil(waitMs / 1000)));
        throw new HTTPException(429, { message: 'too many failed authentications from this address' });
      }
      const given = bearerToken(c.req.header('authorization'));
      const role = given === undefined ? undefined : await roleOf(given);
      if (!role) {
        if (given !== undefined) attempts.failed(address, performance.now());
        throw new UellmError({ kind: 'unauthorized', reason: 'this needs an API key, as Authorization: Bearer' });
      }
      const needed: Role = c.req.method === 'GET' ? 'viewer' : 'operator';
      if (role === 'tenant') throw new UellmError({ kind: 'forbidden', reason: 'this is of the whole fleet, and the key is of a tenant' });
      if (!includesRole(role, needed))
        throw new UellmError({ kind: 'forbidden', reason: `this needs the role ${needed}, and the key has ${role}` });
    }
    await next();
  };

  async function roleOf(given: string): Promise<Role | 'tenant' | undefined> {
    const hash = digest(given);
    if (digests.some((known) => timingSafeEqual(known, hash))) return 'admin';
    const key = await useKey(db, given);
    if (!key) return undefined;
    return key.tenant === null ? key.role : 'tenant';
  }
}

/** DNS rebinding: a page of some site must not reach us by a name of its own that points here. */
function checkSameMachine(host: string, origin: string | undefined): void {
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  if (!isLoopback(name)) throw new UellmError({ kind: 'forbidden', reason: 'without API keys, Host must be a loopback address' });
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new UellmError({ kind: 'forbidden', reason: 'without API keys, Origin must be this server' });
  }
}

export const isLoopback = (name: string) => isLoopbackAddress(name === '[::1]' ? '::1' : name);

function addressOf(c: Context): string {
  const { incoming } = (c.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress ?? '';
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
