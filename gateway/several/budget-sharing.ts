/**
 * Tells the other gateways what this one claims of tenants' limits, and hears its shares and what all have used of the day. Once a second,
 * off the request path, and not at all where no tenant has limits; while Postgres is away the last shares hold.
 */
import type { Logger } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import { dayOf } from '../../core/scheduler/tenant-budget.ts';
import type { Database } from '../../db/client.ts';
import { dropShares, SHARE_EVERY_MS, shareBudgets } from '../../db/queries/tenant-budgets.ts';
import type { TenantBudgets } from '../access/tenant-budgets.ts';
import type { ObservationLog } from '../accounts/observations.ts';
import { within } from '../deadline.ts';

const ANSWER_WITHIN_MS = 3000;

export class BudgetSharing {
  readonly #db: Database;
  readonly #gatewayId: string;
  readonly #budgets: TenantBudgets;
  readonly #observations: Pick<ObservationLog, 'between'>;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;
  #asking: Promise<void> | null = null;
  #has = false;

  constructor(db: Database, gatewayId: string, budgets: TenantBudgets, observations: Pick<ObservationLog, 'between'>, logger: Logger) {
    this.#db = db;
    this.#gatewayId = gatewayId;
    this.#budgets = budgets;
    this.#observations = observations;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.ask(), SHARE_EVERY_MS);
    this.#timer.unref();
  }

  /** Never rejects: what is known goes on to hold. */
  ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#asking;
    if (this.#has) await within(ANSWER_WITHIN_MS, 'letting go of shares', dropShares(this.#db, this.#gatewayId)).catch(() => undefined);
  }

  async #askOnce(): Promise<void> {
    if (!this.#budgets.any && !this.#has) return;
    try {
      await this.#observations.between((sure) => this.#share(sure));
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'limits of tenants cannot be shared: the last shares hold');
    }
  }

  /** @param sure what is stored of this gateway's observations is what it knows to be: in any other sum of the day some would count twice */
  async #share(sure: boolean): Promise<void> {
    const budgets = this.#budgets;
    const unixMs = Date.now();
    const states = budgets.states(performance.now(), unixMs);
    const day = dayOf(unixMs);
    const own = budgets.deliveredOn(day);
    const asked = shareBudgets(this.#db, this.#gatewayId, states, day, (shared) => budgets.setShares(shared, false, performance.now()));
    const shared = await within(ANSWER_WITHIN_MS, 'sharing the limits of tenants', asked);
    this.#has = states.size > 0;
    budgets.setShares(shared, true, performance.now());
    if (sure) budgets.hearStored(shared, own, day, Date.now());
  }
}
