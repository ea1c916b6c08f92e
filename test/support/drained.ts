/** Waits for the end of a drain. */
import { setTimeout as delay } from 'node:timers/promises';
import type { DrainReceipt } from '../../core/domain/drain.ts';
import type { Cluster } from './cluster.ts';

/** @throws when the drain fails, is blocked, or takes longer than `withinMs` */
export async function drained(cluster: Pick<Cluster, 'api'>, host: string, withinMs = 45_000): Promise<DrainReceipt> {
  for (const deadline = Date.now() + withinMs; ; await delay(200)) {
    const drain = await cluster.api<{ phase: string; reason: string; receipt: DrainReceipt | null }>('GET', `/hosts/${host}/drain`);
    if (drain.phase === 'drained' && drain.receipt) return drain.receipt;
    if (['failed', 'blocked'].includes(drain.phase) || Date.now() > deadline) throw new Error(JSON.stringify(drain));
  }
}
