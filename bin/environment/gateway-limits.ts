/** What a gateway holds and tells, as variables of the environment. */
import { z } from 'zod';
import type { GatewayOptions } from '../../gateway/options.ts';
import { whole } from './sorts.ts';

export const gatewayLimitFields = {
  /** Requests that wait for one deployment; more are refused with 429. */
  UELLM_GATEWAY_MAX_QUEUED: whole(1, 1_000_000, 'of requests').default(1000),
  UELLM_GATEWAY_MAX_BODY_MIB: whole(1, 1024, 'of MiB').default(16),
  /** Bytes of all bodies in memory at once; more are refused with 429. */
  UELLM_GATEWAY_MAX_HELD_MIB: whole(1, 1_000_000, 'of MiB').default(1024),
  /** After so long without a byte of its answer a stream gets a comment, and again each time; 0 for never. */
  UELLM_GATEWAY_KEEP_ALIVE_SECONDS: whole(0, 3600, 'of seconds').default(15),
  /** Whether answers say, in `x-uellm-` headers, which replica they are from, how long they waited and what was predicted. */
  UELLM_GATEWAY_EXPLAIN: z.enum(['true', 'false']).default('true'),
};

const MIB = 1024 * 1024;

export type GatewayLimits = Required<
  Pick<GatewayOptions, 'maxQueued' | 'maxBodyBytes' | 'maxHeldBytes' | 'keepAliveMs' | 'explainHeaders'>
>;

export function gatewayLimitsOf(e: z.output<z.ZodObject<typeof gatewayLimitFields>>): GatewayLimits {
  return {
    maxQueued: e.UELLM_GATEWAY_MAX_QUEUED,
    maxBodyBytes: e.UELLM_GATEWAY_MAX_BODY_MIB * MIB,
    maxHeldBytes: e.UELLM_GATEWAY_MAX_HELD_MIB * MIB,
    keepAliveMs: e.UELLM_GATEWAY_KEEP_ALIVE_SECONDS * 1000,
    explainHeaders: e.UELLM_GATEWAY_EXPLAIN === 'true',
  };
}

/** The variables that give a child process these limits. */
export function gatewayLimitVariables(limits: GatewayLimits): Record<keyof typeof gatewayLimitFields, string> {
  return {
    UELLM_GATEWAY_MAX_QUEUED: String(limits.maxQueued),
    UELLM_GATEWAY_MAX_BODY_MIB: String(limits.maxBodyBytes / MIB),
    UELLM_GATEWAY_MAX_HELD_MIB: String(limits.maxHeldBytes / MIB),
    UELLM_GATEWAY_KEEP_ALIVE_SECONDS: String(limits.keepAliveMs / 1000),
    UELLM_GATEWAY_EXPLAIN: String(limits.explainHeaders),
  };
}
