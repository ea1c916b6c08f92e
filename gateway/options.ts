/** What a gateway is started with: plain values, each with its default. */
import type { Logger } from 'pino';
import { UellmError } from '../core/domain/errors.ts';
import { DEFAULT_POLICY } from '../core/scheduler/registry.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { type GatewayKey, gatewayKey, isLoopbackAddress } from './auth.ts';
import type { RoutingSource } from './routing.ts';

export interface GatewayOptions {
  /** Where replicas and policies come from, and observations go: the control plane's database, or a file for a gateway alone. */
  source:
    | { kind: 'postgres'; database: DatabaseConnection /** For this gateway alone. */; spoolDir: string }
    | { kind: 'alone'; routing: RoutingSource };
  /** Anything but loopback needs a key. */
  address: string;
  /** 0 takes a free one. */
  port: number;
  logger: Logger;
  /** Admin's keys, or keys that belong to a tenant. None serves requests from this machine only. */
  apiKeys?: readonly (string | GatewayKey)[];
  /** Unique among gateways; made up where absent. */
  gatewayId?: string;
  /** How it is reached from elsewhere, for its lease; its own URL where absent. */
  publicUrl?: string;
  /** Name of the scheduling policy. */
  policy?: string;
  /** Most requests that wait for one deployment. */
  maxQueued?: number;
  maxBodyBytes?: number;
  scrapeIntervalMs?: number;
  scrapeTimeoutMs?: number;
  connectTimeoutMs?: number;
  /** Where the key for hashing words of prompts is; without it lengths alone are looked at. */
  featureKeyFile?: string | undefined;
  /** Longest silence of an engine before its answer or within it; 0 waits for ever. */
  upstreamIdleMs?: number;
  /** Longest time in which a client may read nothing of what waits for it. */
  clientStallMs?: number;
  /** Say in each answer which replica it came from, and what was predicted. */
  explainHeaders?: boolean;
  /** How long open requests may go on once the gateway closes. */
  closeGraceMs?: number;
}

const DEFAULTS = {
  policy: DEFAULT_POLICY,
  maxQueued: 1000,
  maxBodyBytes: 16 * 1024 * 1024,
  scrapeIntervalMs: 250,
  scrapeTimeoutMs: 250,
  connectTimeoutMs: 2000,
  upstreamIdleMs: 300_000,
  clientStallMs: 120_000,
  explainHeaders: true,
  closeGraceMs: 5000,
} as const;

export type GatewaySettings = ReturnType<typeof settle>;

/** The options with their defaults. @throws invalid-input for a binding that needs a key */
export function settle(options: GatewayOptions) {
  const settings = { ...DEFAULTS, ...definedOnly(options) };
  const keys = (options.apiKeys ?? []).map((key) => (typeof key === 'string' ? gatewayKey(key) : key));
  checkBinding(options.address, keys);
  return { ...settings, keys };
}

function checkBinding(address: string, keys: readonly GatewayKey[]): void {
  if (keys.length > 0 || isLoopbackAddress(address)) return;
  const issue = { field: 'address', given: JSON.stringify(address), allowed: 'a loopback address, or any with an API key' };
  throw new UellmError({ kind: 'invalid-input', what: 'gateway', issues: [issue] });
}

/** Without the keys that are undefined, so that they do not hide defaults. */
function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
