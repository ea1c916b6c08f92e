/**
 * Who is given up when not all can be in time. Moore and Hodgson (1968): go through the requests by when they are due, adding up the time
 * they take; when one would be late, the costliest so far is demoted. That leaves the fewest late. Here costs are weighed by what speaks
 * for or against a request (priority, tenant's share), and lengths of prompt that have had their part of demotion are spared.
 */
import type { QueuedRequest, ReplicaView } from '../types.ts';
import type { Costs } from './cost.ts';
import type { LengthFairness, TenantUse } from './fairness.ts';
import type { UellmOptions } from './options.ts';
import type { Waiting, WaitingItem } from './waiting.ts';

/** How fast requests have been released lately is measured over so much time in which some waited. */
const RATE_WINDOW_MS = 3000;
/** Before so much of it, nothing is known. */
const RATE_KNOWN_MS = 300;
/** Engines are taken to manage at least this share of what the step-time model says. */
const LEAST_OF_MODEL = 0.95;
/** Looking through the queue again is worth it after so long. */
const INTERVAL_MS = 5;
/** Demotions at one go: the next comes soon. */
const MAX_DEMOTIONS = 4;

export class Overload<R extends QueuedRequest> {
  readonly #options: UellmOptions;
  readonly #costs: Costs;
  readonly #lengths: LengthFairness;
  readonly #tenants: TenantUse;
  #waitedMs = 0;
  #releasedCost = 0;
  #lastMs = 0;
  #nextMs = Number.NEGATIVE_INFINITY;

  /** @param lengths who has been demoted enough @param tenants who has had too much */
  constructor(options: UellmOptions, costs: Costs, lengths: LengthFairness, tenants: TenantUse) {
    this.#options = options;
    this.#costs = costs;
    this.#lengths = lengths;
    this.#tenants = tenants;
  }

  /** Have some had to wait lately? Before that, how fast requests are released says nothing. */
  get isPressed(): boolean {
    return this.#waitedMs >= RATE_KNOWN_MS;
  }

  /** Time passes: some wait, or nobody does. */
  tick(someWait: boolean, nowMs: number): void {
    const elapsedMs = nowMs - this.#lastMs;
    if (elapsedMs <= 0) return;
    this.#lastMs = nowMs;
    if (!someWait) {
      const kept = Math.exp(-elapsedMs / RATE_WINDOW_MS);
      this.#waitedMs *= kept;
      this.#releasedCost *= kept;
      return;
    }
    this.#waitedMs += elapsedMs;
    if (this.#waitedMs > RATE_WINDOW_MS) {
      this.#releasedCost *= RATE_WINDOW_MS / this.#waitedMs;
      this.#waitedMs = RATE_WINDOW_MS;
    }
  }

  /** A request that had to wait has been released. */
  released(cost: number): void {
    this.#releasedCost += cost;
  }

  /** Demotes what cannot all make it. */
  relieve(waiting: Waiting<R>, replicas: readonly ReplicaView[], nowMs: number, demote: (item: WaitingItem<R>) => void): void {
    if (waiting.urgent.length < 2 || nowMs < this.#nextMs || !this.isPressed) return;
    this.#nextMs = nowMs + INTERVAL_MS;
    const perMs = Math.max(this.#releasedCost / this.#waitedMs, LEAST_OF_MODEL * this.#costs.throughput(replicas));
    let from = 0;
    for (let looks = 0; looks < MAX_DEMOTIONS; looks++) {
      const lateAt = this.#firstLate(waiting.urgent, from, replicas[0]!, perMs, nowMs);
      if (lateAt < 0) return;
      const victim = this.#costliest(waiting.urgent, lateAt, nowMs);
      // All up to there are spared: those behind them may still be helped.
      if (victim) demote(victim);
      else from = lateAt + 1;
    }
  }

  /** Index of the first, at or behind `from`, that would be late if all were served in their order; -1 where none would. */
  #firstLate(urgent: readonly WaitingItem<R>[], from: number, reference: ReplicaView, perMs: number, nowMs: number): number {
    const startMs = nowMs + this.#options.ttftSafetyMs;
    let cost = 0;
    for (let i = 0; i < urgent.length; i++) {
      const item = urgent[i]!;
      if (item.cost === 0) this.#weigh(item, reference);
      cost += item.cost;
      if (i >= from && cost > (item.dueMs - startMs) * perMs) return i;
    }
    return -1;
  }

  #weigh(item: WaitingItem<R>, reference: ReplicaView): void {
    item.cost = this.#costs.wholeCost(reference, item.request);
    item.weight = item.cost * 2 ** (-item.request.priority / this.#options.priorityHalving);
  }

  #costliest(urgent: readonly WaitingItem<R>[], through: number, nowMs: number): WaitingItem<R> | null {
    let worst: WaitingItem<R> | null = null;
    let most = 0;
    for (let i = 0; i <= through; i++) {
      const item = urgent[i]!;
      if (this.#lengths.isSpared(item.lengthBucket)) continue;
      const weight = item.weight * this.#tenants.excess(item.request.tenant, nowMs);
      if (weight > most) {
        most = weight;
        worst = item;
      }
    }
    return worst;
  }
}
