/** What a gateway is started with: plain values, each with its default. */
import type { Logger } from 'pino';
import { isLoopbackAddress } from '../core/domain/access.ts';
import { UellmError } from '../core/domain/errors.ts';
import { DEFAULT_POLICY } from '../core/scheduler/registry.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { type GatewayKey, gatewayKey, Keyring } from './access/auth.ts';
import type { RoutingSource } from './routes/routing.ts';
import type { Siblings } from './several/siblings.ts';

export interface GatewayOptions {
  /** Where replicas and policies come from, and observations go: the control plane's database, or a file for a gateway alone. */
  source:
    | { kind: 'postgres'; database: DatabaseConnection /** For this gateway alone. */; spoolDir: string }
    | { kind: 'alone'; routing: RoutingSource };
  /** Anything but loopback needs a key, here or in the database. */
  address: string;
  /** 0 takes a free one. */
  port: number;
  logger: Logger;
  /** Makes the server, where it is to speak TLS. */
  createServer?: typeof import('node:http').createServer;
  /** Admin's keys, or keys that belong to a tenant, beside those of the database. None on loopback lets all of this machine in. */
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
  /** Most bytes of bodies in memory at once, of requests that are coming, wait, or whose answer has not begun. */
  maxHeldBytes?: number;
  /** A stream that has waited so long without a byte of its answer gets a comment, and again each time; 0 for never. */
  keepAliveMs?: number;
  scrapeIntervalMs?: number;
  scrapeTimeoutMs?: number;
  connectTimeoutMs?: number;
  /** Where the key for hashing words of prompts is; without it lengths alone are looked at. */
  featureKeyFile?: string | undefined;
  /** Longest silence of an engine before its answer or within it; 0 waits for ever. */
  upstreamIdleMs?: number;
  /** Longest time in which a client may read nothing of what waits for it. */
  clientStallMs?: number;
  /** A client must send its headers, and all of its request, within these. */
  headersWithinMs?: number;
  requestWithinMs?: number;
  /** Longest that a request may take from its acceptance to its end: a bound on engines that stream for ever. */
  maxRequestMs?: number;
  /** Where spans of requests go, by OTLP over HTTP, and the share of requests without a traced parent that have any; off where absent. */
  tracing?: { endpoint: string; share: number } | undefined;
  /** Say in each answer which replica it came from, and what was predicted. */
  explainHeaders?: boolean;
  /** How many gateways share the replicas, this one among them, where no leases say so. */
  gateways?: number;
  /** Those that share its port, where it is one of several processes. */
  siblings?: Siblings;
  /** How long the gateway still takes requests once it closes, and says meanwhile that it is not ready. */
  drainMs?: number;
  /** How long open requests may then go on. */
  closeGraceMs?: number;
  /** And how long connections without a request stay then: one may be on its way there, and is told to go elsewhere. */
  lingerMs?: number;
}

const DEFAULTS = {
  policy: DEFAULT_POLICY,
  maxQueued: 1000,
  maxBodyBytes: 16 * 1024 * 1024,
  maxHeldBytes: 1024 * 1024 * 1024,
  keepAliveMs: 15_000,
  scrapeIntervalMs: 250,
  scrapeTimeoutMs: 250,
  connectTimeoutMs: 2000,
  upstreamIdleMs: 300_000,
  clientStallMs: 120_000,
  headersWithinMs: 15_000,
  requestWithinMs: 120_000,
  maxRequestMs: 3_600_000,
  explainHeaders: true,
  gateways: 1,
  drainMs: 0,
  closeGraceMs: 5000,
  lingerMs: 500,
} as const;

/** The options with their defaults. @throws invalid-input for a binding that needs a key */
export function settle(options: GatewayOptions) {
  const settings = { ...DEFAULTS, ...definedOnly(options) };
  const keys = (options.apiKeys ?? []).map((key) => (typeof key === 'string' ? gatewayKey(key) : key));
  const keyring = new Keyring({
    own: keys,
    open: keys.length === 0 && isLoopbackAddress(options.address),
    more: options.source.kind === 'postgres',
  });
  checkBinding(options, keys);
  return { ...settings, keyring };
}

/** Keys of a database are looked for once it is asked: `requireKeys`. */
function checkBinding({ address, source }: GatewayOptions, keys: readonly GatewayKey[]): void {
  if (keys.length > 0 || isLoopbackAddress(address) || source.kind === 'postgres') return;
  throw needsKey(address);
}

/** Beyond this machine somebody must be able to get in. A database that is away may have keys; nobody gets in before they come. @throws invalid-input */
export async function requireKeys({ address, source, apiKeys = [] }: GatewayOptions): Promise<void> {
  if (source.kind !== 'postgres' || apiKeys.length > 0 || isLoopbackAddress(address)) return;
  const { hasAdminKey } = await import('../db/queries/keys.ts');
  if (await hasAdminKey(source.database.db).catch(() => true)) return;
  throw needsKey(address);
}

function needsKey(address: string): UellmError {
  const allowed =
    'a loopback address, or any with an API key: UELLM_API_KEY, or one in the database (uellm keys create --offline --role admin)';
  return new UellmError({
    kind: 'invalid-input',
    what: 'gateway',
    issues: [{ field: 'address', given: JSON.stringify(address), allowed }],
  });
}

/** Without the keys that are undefined, so that they do not hide defaults. */
function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
