/** Who may do what: three roles, each of which may all that the one before may, and the tenant that a caller is confined to, if any. */
import { z } from 'zod';

/** `viewer` reads, `operator` also changes what runs, `admin` also holds the keys and deletes what was recorded. */
export const roleSchema = z.enum(['viewer', 'operator', 'admin']);
export type Role = z.infer<typeof roleSchema>;

export interface Principal {
  /** As audit rows name whoever asks. */
  actor: string;
  role: Role;
  /** The only tenant that it sees and acts for; null for the whole fleet. */
  tenant: string | null;
}

/** Whether `held` includes all that `needed` may. */
export function includesRole(held: Role, needed: Role): boolean {
  return roleSchema.options.indexOf(held) >= roleSchema.options.indexOf(needed);
}

/** Inference: what belongs to a tenant asks for that tenant, whatever its role; of the fleet's, a viewer spends nothing. */
export function mayInfer({ role, tenant }: Pick<Principal, 'role' | 'tenant'>): boolean {
  return tenant !== null || includesRole(role, 'operator');
}

/** The token of an Authorization header; undefined where it has none. Source: RFC 6750, section 2.1. */
export function bearerToken(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^Bearer +(\S+)$/i.exec(header)?.[1];
}

/** Is this name or address, without brackets, one of this machine's alone? */
export function isLoopbackAddress(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.\d{1,3}){3}$/.test(address);
}

/** The same of a Host header, whose port is of no account. */
export function isLoopbackHost(header: string): boolean {
  const host = /^(\[[^\]]+\]|[^:]+)(:\d+)?$/.exec(header.toLowerCase())?.[1];
  return host !== undefined && isLoopbackAddress(host.replace(/^\[|\]$/g, ''));
}

/** For how long a key may be in force that runs out at all. */
export const KEY_LIFETIME_SECONDS = { min: 60, max: 315_360_000 } as const;

/** What every generated key begins with, so that scanners of repositories and logs can find one that leaked. */
export const KEY_PREFIX = 'uellm_';

export const isGeneratedKey = (secret: string) => secret.startsWith(KEY_PREFIX);
