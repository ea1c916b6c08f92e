/**
 * What a tenant may still ask for at one gateway: its limits, the gateway's share of them, and what was spent. A request is admitted with
 * what it will take by prediction, and that is put right when it has ended. Monotonic times are `nowMs`, wall-clock ones `unixMs`.
 *
 * Where several gateways serve, each has a share and the shares add up to 1 (`budget-shares.ts`): buckets are that much smaller and slower.
 * A share too small for a single request admits one from a full bucket, and goes into debt.
 */
import type { TenantLimits } from '../domain/tenant.ts';
import { TokenBucket } from './token-bucket.ts';

/** What was set aside for a request until it ends. */
export interface Reservation {
  readonly tokens: number;
  /** UTC days since 1970. */
  readonly day: number;
}

export interface BudgetRefusal {
  limit: keyof TenantLimits;
  allowed: number;
  used: number;
  /** What the request would take of it. */
  asked: number;
  /** When there is room for it, if nothing else comes; null where there never is. */
  retryAfterMs: number | null;
}

/** What clients are told of a limit per minute: the limit, what is left, and how long until all of it is there again. */
export interface Allowance {
  limit: number;
  remaining: number;
  resetMs: number;
}

export interface TenantUse {
  requestsInFlight: number;
  requestsPerMinute: number;
  tokensPerMinute: number;
  /** Of the present UTC day, all gateways together as far as they have told. */
  tokensToday: number;
}

const DAY_MS = 86_400_000;
const SECONDS = 60;
/** When requests end, or shares move, nobody knows: worth asking again soon. */
const SOON_MS = 1000;
/** What was asked for lately is remembered over about so long. */
const DEMAND_WINDOW_MS = 10_000;
const MINUTE_MS = 60_000;

export const dayOf = (unixMs: number): number => Math.floor(unixMs / DAY_MS);

export class TenantBudget {
  #limits: TenantLimits;
  #share: number;
  #requests: TokenBucket | null = null;
  #tokens: TokenBucket | null = null;
  #inFlight = 0;
  readonly #minute = new MinuteCounts();
  // Of the present day:
  #day: number;
  /** What all gateways have stored, and how much of what ended here is in it. */
  #stored = 0;
  #storedOwn = 0;
  #ended = 0;
  #reserved = 0;
  // What was asked for lately, refused or not, forgotten by and by.
  #askedRequests = 0;
  #askedTokens = 0;
  #askedAtMs: number;

  /** @param share of the limits, above 0 and at most 1 */
  constructor(limits: TenantLimits, share: number, nowMs: number, unixMs: number) {
    this.#limits = limits;
    this.#share = share;
    this.#day = dayOf(unixMs);
    this.#askedAtMs = nowMs;
    this.#resize(nowMs);
  }

  get limits(): TenantLimits {
    return this.#limits;
  }

  get share(): number {
    return this.#share;
  }

  /** Other limits are in force. Those that are new begin with a minute's worth. */
  declare(limits: TenantLimits, nowMs: number): void {
    this.#limits = limits;
    this.#resize(nowMs);
  }

  setShare(share: number, nowMs: number): void {
    this.#share = share;
    this.#resize(nowMs);
  }

  /** How much of the limits this gateway would like: 1 where it is asked for all of them, or more. */
  demand(nowMs: number): number {
    const { requestsPerMinute, tokensPerMinute, requestsInFlight, tokensPerDay } = this.#limits;
    this.#forget(nowMs);
    const perMinute = MINUTE_MS / DEMAND_WINDOW_MS;
    const part = (asked: number, limit = Number.POSITIVE_INFINITY) => asked / limit;
    return Math.min(
      1,
      Math.max(
        part(this.#askedRequests * perMinute, requestsPerMinute),
        part(this.#askedTokens * perMinute, tokensPerMinute),
        part(this.#askedTokens * perMinute, tokensPerDay && tokensPerDay / (DAY_MS / MINUTE_MS)),
        part(this.#inFlight, requestsInFlight),
      ),
    );
  }

  /** What requests that are open take of `requestsInFlight`: held until they end, whatever the share. 0 without that limit. */
  get openShare(): number {
    return Math.min(1, this.#inFlight / (this.#limits.requestsInFlight ?? Number.POSITIVE_INFINITY));
  }

  /** Sets aside what a request takes, or says why not. @param outputTokens as predicted, and no more than it allows itself */
  admit(inputTokens: number, outputTokens: number, nowMs: number, unixMs: number): Reservation | BudgetRefusal {
    this.#roll(unixMs);
    this.#forget(nowMs);
    const tokens = this.#wholesome(inputTokens + outputTokens);
    this.#askedRequests += 1;
    this.#askedTokens += tokens;
    const refusal = this.#refusal(inputTokens, tokens, nowMs, unixMs);
    if (refusal) return refusal;
    this.#requests?.take(1, nowMs);
    this.#tokens?.take(tokens, nowMs);
    this.#inFlight += 1;
    this.#reserved += tokens;
    this.#minute.add(1, 0, nowMs);
    return { tokens, day: this.#day };
  }

  /** The request has ended. @param tokens what it took of the engine, prompt and answer */
  settle({ tokens: reserved, day }: Reservation, tokens: number, nowMs: number, unixMs: number): void {
    this.#roll(unixMs);
    this.#tokens?.take(tokens - reserved, nowMs);
    this.#inFlight -= 1;
    this.#minute.add(0, tokens, nowMs);
    if (day !== this.#day) return;
    this.#reserved -= reserved;
    this.#ended += tokens;
  }

  /**
   * What all gateways have stored of a day.
   * @param own how much of what ended here on that day is in it for sure: it was stored before the sum was asked for
   */
  hearStored(day: number, tokens: number, own: number, unixMs: number): void {
    this.#roll(unixMs);
    if (day !== this.#day) return;
    this.#stored = tokens;
    this.#storedOwn = own;
  }

  /** As `x-ratelimit-*-requests` say; null where there is no such limit. */
  requestAllowance(nowMs: number): Allowance | null {
    return allowance(this.#requests, this.#limits.requestsPerMinute, nowMs);
  }

  /** As `x-ratelimit-*-tokens` say: per minute, or else of the day. */
  tokenAllowance(nowMs: number, unixMs: number): Allowance | null {
    const perMinute = allowance(this.#tokens, this.#limits.tokensPerMinute, nowMs);
    const { tokensPerDay } = this.#limits;
    if (perMinute || tokensPerDay === undefined) return perMinute;
    this.#roll(unixMs);
    return { limit: tokensPerDay, remaining: Math.max(0, Math.floor(this.#leftToday(tokensPerDay))), resetMs: msOfDayLeft(unixMs) };
  }

  use(nowMs: number, unixMs: number): TenantUse {
    this.#roll(unixMs);
    return { requestsInFlight: this.#inFlight, ...this.#minute.sum(nowMs), tokensToday: this.#usedToday };
  }

  #refusal(inputTokens: number, tokens: number, nowMs: number, unixMs: number): BudgetRefusal | null {
    const { requestsPerMinute, tokensPerMinute, requestsInFlight, tokensPerDay } = this.#limits;
    if (requestsInFlight !== undefined && this.#inFlight >= Math.max(1, Math.floor(this.#share * requestsInFlight + 1e-9))) {
      return { limit: 'requestsInFlight', allowed: requestsInFlight, used: this.#inFlight, asked: 1, retryAfterMs: SOON_MS };
    }
    if (requestsPerMinute !== undefined) {
      const refusal = overdraft('requestsPerMinute', this.#requests!, requestsPerMinute, 1, 1, nowMs);
      if (refusal) return refusal;
    }
    if (tokensPerMinute !== undefined) {
      const refusal = overdraft('tokensPerMinute', this.#tokens!, tokensPerMinute, tokens, inputTokens, nowMs);
      if (refusal) return refusal;
    }
    if (tokensPerDay === undefined || tokens <= this.#leftToday(tokensPerDay)) return null;
    const refusal = { limit: 'tokensPerDay' as const, allowed: tokensPerDay, used: Math.round(this.#usedToday), asked: Math.ceil(tokens) };
    if (inputTokens > tokensPerDay) return { ...refusal, retryAfterMs: null };
    // What is only set aside, or another gateway's share, may come free before the day is over.
    return { ...refusal, retryAfterMs: this.#usedToday + tokens > tokensPerDay ? msOfDayLeft(unixMs) : SOON_MS };
  }

  get #usedToday(): number {
    return this.#stored + this.#ended - this.#storedOwn;
  }

  /** Of what was left when the gateways last told each other, this one may spend its share. */
  #leftToday(tokensPerDay: number): number {
    return this.#share * Math.max(0, tokensPerDay - this.#stored) - (this.#ended - this.#storedOwn) - this.#reserved;
  }

  /** No estimate, however absurd, may spoil the sums, and no prediction keep a request out for ever. */
  #wholesome(tokens: number): number {
    const most = Math.min(this.#limits.tokensPerMinute ?? Number.MAX_SAFE_INTEGER, this.#limits.tokensPerDay ?? Number.MAX_SAFE_INTEGER);
    return tokens > 0 ? Math.min(tokens, most) : 0;
  }

  #roll(unixMs: number): void {
    const day = dayOf(unixMs);
    if (day <= this.#day) return;
    this.#day = day;
    this.#stored = 0;
    this.#storedOwn = 0;
    this.#ended = 0;
    this.#reserved = 0;
  }

  #forget(nowMs: number): void {
    const kept = Math.exp((this.#askedAtMs - nowMs) / DEMAND_WINDOW_MS);
    this.#askedRequests *= kept;
    this.#askedTokens *= kept;
    this.#askedAtMs = nowMs;
  }

  #resize(nowMs: number): void {
    const { requestsPerMinute, tokensPerMinute } = this.#limits;
    this.#requests = resized(this.#requests, requestsPerMinute, this.#share, nowMs);
    this.#tokens = resized(this.#tokens, tokensPerMinute, this.#share, nowMs);
  }
}

/** What a minute has seen, second by second. */
class MinuteCounts {
  readonly #seconds = new Float64Array(SECONDS);
  readonly #requests = new Float64Array(SECONDS);
  readonly #tokens = new Float64Array(SECONDS);

  add(requests: number, tokens: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const slot = second % SECONDS;
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#requests[slot] = 0;
      this.#tokens[slot] = 0;
    }
    this.#requests[slot]! += requests;
    this.#tokens[slot]! += tokens;
  }

  sum(nowMs: number): { requestsPerMinute: number; tokensPerMinute: number } {
    const second = Math.floor(nowMs / 1000);
    let [requestsPerMinute, tokensPerMinute] = [0, 0];
    for (let slot = 0; slot < SECONDS; slot++) {
      if (this.#seconds[slot]! <= second - SECONDS) continue;
      requestsPerMinute += this.#requests[slot]!;
      tokensPerMinute += this.#tokens[slot]!;
    }
    return { requestsPerMinute, tokensPerMinute };
  }
}

function resized(bucket: TokenBucket | null, limit: number | undefined, share: number, nowMs: number): TokenBucket | null {
  if (limit === undefined) return null;
  if (!bucket) return new TokenBucket(limit * share, nowMs);
  bucket.resize(limit * share, nowMs);
  return bucket;
}

function overdraft(
  name: keyof TenantLimits,
  bucket: TokenBucket,
  allowed: number,
  asked: number,
  least: number,
  nowMs: number,
): BudgetRefusal | null {
  const used = Math.round(allowed * (1 - bucket.level(nowMs) / bucket.capacity));
  if (least > allowed) return { limit: name, allowed, used, asked: Math.ceil(least), retryAfterMs: null };
  const retryAfterMs = bucket.msUntil(asked, nowMs);
  return retryAfterMs > 0 ? { limit: name, allowed, used, asked: Math.ceil(asked), retryAfterMs } : null;
}

function allowance(bucket: TokenBucket | null, limit: number | undefined, nowMs: number): Allowance | null {
  if (!bucket || limit === undefined) return null;
  const remaining = Math.max(0, Math.floor(bucket.level(nowMs)));
  return { limit, remaining, resetMs: bucket.msUntil(bucket.capacity, nowMs) };
}

function msOfDayLeft(unixMs: number): number {
  return DAY_MS - (unixMs % DAY_MS);
}
