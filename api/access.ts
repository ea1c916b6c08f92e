/**
 * Who may ask, and what. A caller is known by a bearer token: the key of the environment (`UELLM_API_KEY`, the admin's), a generated key of the
 * database, or a token of an OIDC issuer. Where the API is open, bound to loopback with neither a key in the environment nor an issuer, a
 * request without a generated key is the admin's; so that no web page can reach it through its visitor's browser, Host must be loopback (DNS
 * rebinding) and Origin, where a browser sends it, the same origin.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { HTTPException } from 'hono/http-exception';
import {
  bearerToken,
  includesRole,
  isGeneratedKey,
  isLoopbackAddress,
  isLoopbackHost,
  type Principal,
  type Role,
} from '../core/domain/access.ts';
import { UellmError } from '../core/domain/errors.ts';
import { FailedAttempts } from '../core/domain/failed-attempts.ts';
import type { Database } from '../db/client.ts';
import { hasAdminKey, useKey } from '../db/queries/keys.ts';
import type { TokenVerifier } from './access-tokens.ts';
import type { ApiEnv } from './context.ts';

export interface AccessOptions {
  /** Any of them is the admin's. */
  apiKeys: readonly string[];
  /** Whoever asks from this machine without a generated key is the admin. */
  open: boolean;
  tokens: TokenVerifier | null;
}

/** What a route asks of its caller; declared with the route (`routes/route.ts`). */
export interface RouteAccess {
  role: Role;
  /** Keys of tenants may ask, too: the route looks at nothing but what is their tenant's. The fleet's alone where absent. */
  tenants?: boolean;
}

/** @throws invalid-input where nobody could get in, or anybody would */
export async function checkBinding(address: string, { apiKeys, tokens }: Omit<AccessOptions, 'open'>, db: Database): Promise<void> {
  if (isLoopbackAddress(address) || apiKeys.length > 0 || tokens || (await hasAdminKey(db))) return;
  const issue = {
    field: 'address',
    given: JSON.stringify(address),
    allowed:
      'a loopback address (127.0.0.1, ::1), or any address once UELLM_API_KEY is set or the database has a key: uellm keys create --offline --role admin',
  };
  throw new UellmError({ kind: 'invalid-input', what: 'the address of the API', issues: [issue] });
}

/** For every path: where the API is open, only from this machine and its own pages. */
export function guardLoopback(open: boolean): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (open) {
      const host = hostOf(c);
      if (!isLoopbackHost(host)) throw forbidden(`the Host header is '${host}', and without an API key only loopback names are served`);
      const origin = c.req.header('origin');
      const scheme = c.req.url.startsWith('https:') ? 'https' : 'http';
      if (origin !== undefined && origin !== `${scheme}://${host}`) throw forbidden(`requests of pages from '${origin}' are not served`);
    }
    await next();
  };
}

/** For everything under /api: says who asks, or refuses. An address that has failed too often is refused before anything is looked up. */
export function authenticate({ apiKeys, open, tokens }: AccessOptions, db: Database): MiddlewareHandler<ApiEnv> {
  const digests = apiKeys.map(digest);
  const attempts = new FailedAttempts();

  async function principalOf(given: string): Promise<Principal | string> {
    const hash = digest(given);
    // Every digest is compared, each in constant time.
    if (digests.map((d) => timingSafeEqual(d, hash)).includes(true)) return ADMIN;
    if (isGeneratedKey(given)) {
      const key = await useKey(db, given);
      if (!key) return 'the API key is not known, was revoked or has expired';
      return { actor: key.name === null ? `key:${key.id}` : `key:${key.id} (${key.name})`, role: key.role, tenant: key.tenant };
    }
    return tokens ? tokens.verify(given) : 'the API key is not known';
  }

  return async (c, next) => {
    const given = bearerToken(c.req.header('authorization'));
    if (open && !(given !== undefined && isGeneratedKey(given))) admit(c, ADMIN);
    else if (given === undefined) throw unauthorized('an API key is needed: Authorization: Bearer <key>');
    else {
      const address = addressOf(c);
      const waitMs = attempts.waitMs(address, performance.now());
      if (waitMs > 0) throw tooManyFailures(waitMs);
      const principal = await principalOf(given);
      if (typeof principal === 'string') {
        attempts.failed(address, performance.now());
        throw unauthorized(principal);
      }
      admit(c, principal);
    }
    await next();
  };
}

/** In front of one route: is it this caller's? */
export function authorize({ role, tenants = false }: RouteAccess): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { role: held, tenant } = c.get('principal');
    if (!includesRole(held, role)) throw forbidden(`this needs the role ${role}, and the caller has ${held}`);
    if (tenant !== null && !tenants) throw forbidden(`this is of the whole fleet, and the caller is of tenant '${tenant}'`);
    await next();
  };
}

const ADMIN: Principal = { actor: 'admin', role: 'admin', tenant: null };
function admit(c: Context<ApiEnv>, principal: Principal): void {
  c.set('principal', principal);
  c.set('actor', principal.actor);
}

function hostOf(c: Context): string {
  return c.req.header('host') ?? new URL(c.req.url).host;
}

/** Of the connection: what headers say of it can be made up. */
function addressOf(c: Context): string {
  const { incoming } = (c.env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress ?? '';
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

const forbidden = (reason: string) => new UellmError({ kind: 'forbidden', reason });
const unauthorized = (reason: string) => new UellmError({ kind: 'unauthorized', reason });

function tooManyFailures(waitMs: number): HTTPException {
  const seconds = Math.ceil(waitMs / 1000);
  const res = new Response(null, { headers: { 'retry-after': String(seconds) } });
  return new HTTPException(429, { message: `too many failed authentications from this address: again in ${seconds} s`, res });
}
