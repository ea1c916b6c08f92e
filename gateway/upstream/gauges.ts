/** What a gateway tells monitoring of each replica with its lease: its own reckoning beside what the engine says. */

import { eachTerm } from '../../core/domain/step-time.ts';
import type { ReplicaGauges } from '../../core/profiler/monitor/evidence.ts';
import { WINDOW_MS } from '../../core/profiler/monitor/monitor.ts';
import type { LiveReplica } from '../replica.ts';

/**
 * `stepTimeRatio`, `stepTimeFit` and `expectedKvUsage` are of this gateway's own streams; the rest is the engine's word, of all gateways together. Preemptions are
 * those of monitoring's window.
 */
export function replicaGauges(replica: LiveReplica, nowMs: number): ReplicaGauges {
  const { load, row, preemptions } = replica;
  // An engine that does not answer says nothing of the present.
  const gauges = replica.healthy ? replica.gauges : null;
  const fit = replica.steps.coefficients(nowMs);
  return {
    stepTimeRatio: replica.steps.ratio(load.stepTimeRatio(nowMs), replica.loadOfAll, nowMs),
    stepTimeFit: fit && eachTerm((term) => Number(fit[term].toPrecision(4))),
    kvUsage: gauges?.kvUsage ?? null,
    expectedKvUsage: (load.decodeContextTokens + load.prefillTokens) / row.kvCacheTokens,
    preemptions: preemptions.over(nowMs),
    running: gauges?.running ?? 0,
    waiting: gauges?.waiting ?? 0,
  };
}

/** How much an engine's counter has risen over monitoring's window. */
export class PreemptionCount {
  #total: number | null = null;
  #rises: { atMs: number; by: number }[] = [];

  /** The counter stands there. The first look tells nothing: who knows when it rose. One that falls belongs to a new engine. */
  hear(total: number, nowMs: number): void {
    const by = total - (this.#total ?? total);
    this.#total = total;
    if (by > 0) this.#rises = [...this.#within(nowMs), { atMs: nowMs, by }];
  }

  over(nowMs: number): number {
    return this.#within(nowMs).reduce((sum, { by }) => sum + by, 0);
  }

  #within(nowMs: number): { atMs: number; by: number }[] {
    return this.#rises.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
  }
}
