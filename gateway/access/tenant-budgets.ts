/**
 * What tenants may still ask for at this gateway: admission by their limits, off the database. `budget-sharing.ts` tells the other
 * gateways, and hears of them.
 */
import { type Observation, tokensServed } from '../../core/domain/observation.ts';
import type { Tenant, TenantLimits } from '../../core/domain/tenant.ts';
import { type Allowance, dayOf, type Reservation, TenantBudget, type TenantUse } from '../../core/scheduler/tenant-budget.ts';
import type { BudgetState, SharedBudget } from '../../db/queries/tenant-budgets.ts';
import { RequestError, rateLimited } from '../errors.ts';

/** Of tenants that have limits. */
export interface BudgetEvents {
  onRefused(tenant: string, limit: keyof TenantLimits): void;
  onEnded(tenant: string, tokens: number): void;
}

interface Known {
  budget: TenantBudget;
  /** Requests accepted since then go through the budget. */
  sinceMs: number;
  /** Tokens of the day's requests that are stored for sure. */
  delivered: number;
  day: number;
}

export class TenantBudgets {
  readonly #gatewayId: string;
  readonly #events: BudgetEvents;
  readonly #known = new Map<string, Known>();

  constructor(gatewayId: string, events: BudgetEvents) {
    this.#gatewayId = gatewayId;
    this.#events = events;
  }

  /**
   * These tenants are in force. Those with limits that are new here have all of them until a share is heard.
   * @returns whether there are such
   */
  declare(tenants: readonly Tenant[], nowMs: number, unixMs: number): boolean {
    const limited = new Set<string>();
    let isNew = false;
    for (const { name, limits } of tenants) {
      if (!limits) continue;
      limited.add(name);
      const known = this.#known.get(name);
      if (!known) {
        const budget = new TenantBudget(limits, 1, nowMs, unixMs);
        isNew = true;
        this.#known.set(name, { budget, sinceMs: unixMs, delivered: 0, day: dayOf(unixMs) });
      } else if (known.budget.limits !== limits) known.budget.declare(limits, nowMs);
    }
    for (const name of this.#known.keys()) if (!limited.has(name)) this.#known.delete(name);
    return isNew;
  }

  /**
   * Sets aside what a request takes; null where its tenant has no limits.
   * @param unixMs when it was accepted
   * @throws RequestError 429 that names the limit
   */
  admit(tenant: string, inputTokens: number, outputTokens: number, unixMs: number): BudgetHold | null {
    const known = this.#known.get(tenant);
    if (!known) return null;
    const nowMs = performance.now();
    const answer = known.budget.admit(inputTokens, outputTokens, nowMs, unixMs);
    if (!('limit' in answer)) return new BudgetHold(known.budget, answer, (tokens) => this.#events.onEnded(tenant, tokens));
    this.#events.onRefused(tenant, answer.limit);
    throw new RequestError(rateLimited(tenant, answer, rateLimitHeaders(known.budget, nowMs, unixMs)));
  }

  /** These are stored: the sums of the day have them. */
  delivered(observations: readonly Observation[]): void {
    if (this.#known.size === 0) return;
    for (const observation of observations) {
      const known = this.#known.get(observation.tenant);
      if (!known || observation.gatewayId !== this.#gatewayId || observation.acceptedAtMs < known.sinceMs) continue;
      const day = dayOf(observation.acceptedAtMs);
      if (day > known.day) {
        known.day = day;
        known.delivered = 0;
      }
      if (day === known.day) known.delivered += tokensServed(observation);
    }
  }

  /** Does any tenant have limits? */
  get any(): boolean {
    return this.#known.size > 0;
  }

  /** For the other gateways; empty where no tenant has limits. */
  states(nowMs: number, unixMs: number): Map<string, BudgetState> {
    const states = new Map<string, BudgetState>();
    for (const [tenant, { budget }] of this.#known) {
      const { tokensToday: _, ...use } = budget.use(nowMs, unixMs);
      states.set(tenant, { demand: budget.demand(nowMs), openShare: budget.openShare, use });
    }
    return states;
  }

  /** What of the day's tokens is stored for sure, before sums are asked for. */
  deliveredOn(day: number): ReadonlyMap<string, number> {
    return new Map([...this.#known].map(([tenant, known]) => [tenant, known.day === day ? known.delivered : 0]));
  }

  /** Smaller shares are in force; larger ones only where `mayGrow`. */
  setShares(shared: ReadonlyMap<string, SharedBudget>, mayGrow: boolean, nowMs: number): void {
    for (const [tenant, { share }] of shared) {
      const budget = this.#known.get(tenant)?.budget;
      if (budget && (mayGrow || share < budget.share)) budget.setShare(share, nowMs);
    }
  }

  /** @param own as `deliveredOn` said before the sums were read */
  hearStored(shared: ReadonlyMap<string, SharedBudget>, own: ReadonlyMap<string, number>, day: number, unixMs: number): void {
    for (const [tenant, { tokens }] of shared) {
      this.#known.get(tenant)?.budget.hearStored(day, tokens, own.get(tenant) ?? 0, unixMs);
    }
  }

  /** By tenant. */
  uses(nowMs: number, unixMs: number): { tenant: string; share: number; limits: TenantLimits; use: TenantUse }[] {
    return [...this.#known].map(([tenant, { budget }]) => ({
      tenant,
      share: budget.share,
      limits: budget.limits,
      use: budget.use(nowMs, unixMs),
    }));
  }
}

/** What is set aside for one request, until it ends. */
export class BudgetHold {
  readonly #budget: TenantBudget;
  readonly #onEnded: (tokens: number) => void;
  #reservation: Reservation | null;

  constructor(budget: TenantBudget, reservation: Reservation, onEnded: (tokens: number) => void) {
    this.#budget = budget;
    this.#reservation = reservation;
    this.#onEnded = onEnded;
  }

  /** @param tokens that an engine has spent on it */
  settle(tokens: number): void {
    if (!this.#reservation) return;
    this.#budget.settle(this.#reservation, tokens, performance.now(), Date.now());
    this.#reservation = null;
    this.#onEnded(tokens);
  }

  /** OpenAI's headers, as things are now. */
  addHeaders(headers: Record<string, string>): void {
    Object.assign(headers, rateLimitHeaders(this.#budget, performance.now(), Date.now()));
  }
}

/** Source: OpenAI, "Rate limits", headers. */
function rateLimitHeaders(budget: TenantBudget, nowMs: number, unixMs: number): Record<string, string> {
  const headers: Record<string, string> = {};
  add(headers, 'requests', budget.requestAllowance(nowMs));
  add(headers, 'tokens', budget.tokenAllowance(nowMs, unixMs));
  return headers;
}

function add(headers: Record<string, string>, of: 'requests' | 'tokens', allowance: Allowance | null): void {
  if (!allowance) return;
  headers[`x-ratelimit-limit-${of}`] = String(allowance.limit);
  headers[`x-ratelimit-remaining-${of}`] = String(allowance.remaining);
  headers[`x-ratelimit-reset-${of}`] = duration(allowance.resetMs);
}

/** As OpenAI writes it: `12ms`, `7.66s`, `6m0s`, `11h59m30s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 10) / 100;
  if (seconds < 60) return `${seconds}s`;
  const whole = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return `${hours > 0 ? `${hours}h` : ''}${minutes}m${whole % 60}s`;
}
