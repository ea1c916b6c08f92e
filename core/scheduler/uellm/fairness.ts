/**
 * Who has been demoted enough. The costliest requests buy the most time when they are given up, and those are the long prompts and the
 * busy tenants: without a bound it would always be the same ones.
 */
import { PassingMap } from '../passing-map.ts';
import type { QueuedRequest } from '../types.ts';

/** Two buckets to each doubling of the prompt's length. */
const BUCKETS_PER_OCTAVE = 2;
const BUCKETS = 64;
/** Shares look back over about so many requests of a length, and over so many of all. */
const BUCKET_WINDOW = 50;
const OVERALL_WINDOW = 500;
/** Before so many were seen of a length, nothing is known of it. */
const KNOWN = 10;
/** A tenant's use of the engines is forgotten over about so long. */
const TENANT_WINDOW_MS = 60_000;
/** A tenant is held to have taken at most so many times its share, or so little. */
const TENANT_LIMIT = 4;
/** Tenants that are remembered; beyond that, the one that was served longest ago is forgotten. */
const MAX_TENANTS = 10_000;

export function lengthBucket(inputTokens: number): number {
  return Math.min(BUCKETS - 1, Math.floor(BUCKETS_PER_OCTAVE * Math.log2(Math.max(1, inputTokens))));
}

/** The share of requests that were released in time, by length of prompt and overall. */
export class LengthFairness {
  readonly #least: number;
  readonly #inTime = new Float64Array(BUCKETS);
  readonly #seen = new Float64Array(BUCKETS);
  #overall = 0;
  #all = 0;

  /** @param least share of a bucket, relative to the overall one, below which it is spared */
  constructor(least: number) {
    this.#least = least;
  }

  count(bucket: number, inTime: boolean): void {
    const value = inTime ? 1 : 0;
    this.#seen[bucket]! += 1;
    this.#inTime[bucket]! += Math.max(1 / BUCKET_WINDOW, 1 / this.#seen[bucket]!) * (value - this.#inTime[bucket]!);
    this.#all += 1;
    this.#overall += Math.max(1 / OVERALL_WINDOW, 1 / this.#all) * (value - this.#overall);
  }

  /** Have requests of that length been demoted so much that others come first? */
  isSpared(bucket: number): boolean {
    return this.#seen[bucket]! > KNOWN && this.#inTime[bucket]! < this.#least * this.#overall;
  }
}

interface Use {
  cost: number;
  atMs: number;
}

/** What tenants have had of the engines lately, for their weights. */
export class TenantUse {
  readonly #uses = new PassingMap<string, Use>();
  /** Of all together, as it was then. */
  #cost = 0;
  /** How many they are: one that was served just now counts as one, another as much less as its use is forgotten. */
  #present = 0;
  #atMs = 0;

  count({ tenant, tenantWeight }: QueuedRequest, cost: number, nowMs: number): void {
    this.#cost = decayed(this.#cost, this.#atMs, nowMs);
    this.#present = decayed(this.#present, this.#atMs, nowMs);
    this.#atMs = nowMs;
    const before = this.#takeOut(tenant, nowMs);
    const weighed = cost / tenantWeight;
    // The last to be served is the last to be forgotten.
    this.#uses.set(tenant, { cost: before + weighed, atMs: nowMs });
    this.#cost += before + weighed;
    this.#present += 1;
    if (this.#uses.size > MAX_TENANTS) this.#takeOut(this.#uses.keys().next().value!, nowMs);
  }

  /** How many times its share a tenant has had: 1 where there is but one. */
  excess(tenant: string, nowMs: number): number {
    if (this.#uses.size < 2) return 1;
    const use = this.#uses.get(tenant);
    if (!use || this.#cost <= 0) return 1 / TENANT_LIMIT;
    // Both are forgotten alike, so that it does not matter what the time is.
    const share = decayed(use.cost, use.atMs, this.#atMs) / this.#cost;
    const tenants = Math.max(1, decayed(this.#present, this.#atMs, nowMs));
    return Math.min(TENANT_LIMIT, Math.max(1 / TENANT_LIMIT, share * tenants));
  }

  /** @returns what is left of its use */
  #takeOut(tenant: string, nowMs: number): number {
    const use = this.#uses.get(tenant);
    if (!use) return 0;
    const left = decayed(use.cost, use.atMs, nowMs);
    this.#uses.delete(tenant);
    this.#cost -= left;
    this.#present -= decayed(1, use.atMs, nowMs);
    return left;
  }
}

function decayed(value: number, atMs: number, nowMs: number): number {
  return value * Math.exp((atMs - nowMs) / TENANT_WINDOW_MS);
}
