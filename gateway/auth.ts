/** Who may use the gateway. With keys: whoever has one. Without: whoever is on this machine and was not sent here by a foreign page. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type ApiError, foreignHost, foreignOrigin, unauthorized } from './errors.ts';

/** A key, of which only the hash is kept. */
export interface GatewayKey {
  sha256: Buffer;
  /** The tenant that it belongs to; null for an admin's, which may ask for any tenant. */
  tenant: string | null;
}

export function gatewayKey(secret: string, tenant: string | null = null): GatewayKey {
  return { sha256: sha256(secret), tenant };
}

export type Access = { allowed: true; tenant: string | null } | { allowed: false; error: ApiError };

/**
 * With keys a bearer token must match one. Without any the Host header must be loopback, against DNS rebinding, and the Origin header, which
 * browsers send, that same host: other sites' pages may not use what runs on this machine.
 */
export function authorize(req: IncomingMessage, keys: readonly GatewayKey[]): Access {
  if (keys.length === 0) {
    const { host = '', origin } = req.headers;
    if (!isLoopbackHost(host)) return { allowed: false, error: foreignHost(host) };
    if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
      return { allowed: false, error: foreignOrigin(origin) };
    }
    return { allowed: true, tenant: null };
  }
  const token = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (!token) return { allowed: false, error: unauthorized('this gateway takes requests with a key: Authorization: Bearer KEY') };
  const hash = sha256(token);
  // Every key is compared, so that the time tells nothing of which one came close.
  let found: GatewayKey | null = null;
  for (const key of keys) if (timingSafeEqual(key.sha256, hash)) found = key;
  return found ? { allowed: true, tenant: found.tenant } : { allowed: false, error: unauthorized('the key is not known here') };
}

export function isLoopbackAddress(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.\d{1,3}){3}$/.test(address);
}

function isLoopbackHost(header: string): boolean {
  const host = /^(\[[^\]]+\]|[^:]+)(:\d+)?$/.exec(header.toLowerCase())?.[1];
  return host !== undefined && isLoopbackAddress(host.replace(/^\[|\]$/g, ''));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
