/**
 * This gateway's lease: a row in Postgres that says which routing version it routes by, what it has open on each replica, and which of them
 * do not answer it. Those who drain a replica wait for it: version V acknowledged means that nothing new goes, ever, to a replica absent
 * from V. All is read in one synchronous step when the row is made, and rows are written one after the other.
 */
import type { Logger } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import type { Database } from '../../db/client.ts';
import { type GatewayDemand, gatewayDemands, type Lease, pruneLeases, removeLease, renewLease } from '../../db/queries/leases.ts';
import { within } from '../deadline.ts';

export type LeaseIdentity = Pick<Lease, 'gatewayId' | 'address' | 'schedulerPolicy'>;
export type LeaseState = Omit<Lease, keyof LeaseIdentity>;

const RENEW_EVERY_MS = 500;
/** What comes together within this is told together. */
const COALESCE_MS = 25;
const WRITE_WITHIN_MS = 3000;
/** Leases of gateways that died are kept this long for whoever looks for them. */
const PRUNE_AFTER_MS = 3_600_000;

export interface LeaseKeeperOptions {
  db: Database;
  identity: LeaseIdentity;
  state: () => LeaseState;
  /** Told after each renewal what every gateway with a lease wants; null where that could not be read. */
  onDemands: (demands: GatewayDemand[] | null) => void;
  logger: Logger;
}

export class LeaseKeeper {
  readonly #db: Database;
  readonly #identity: LeaseIdentity;
  readonly #state: () => LeaseState;
  readonly #onDemands: LeaseKeeperOptions['onDemands'];
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #soon: NodeJS.Timeout | null = null;
  #writing: Promise<boolean> | null = null;
  #again = false;
  #held = true;
  #closed = false;

  constructor({ db, identity, state, onDemands, logger }: LeaseKeeperOptions) {
    this.#db = db;
    this.#identity = identity;
    this.#state = state;
    this.#onDemands = onDemands;
    this.#logger = logger;
  }

  /** Takes the lease and keeps it. @returns whether it could be written */
  async take(): Promise<boolean> {
    const taken = await this.#write();
    if (taken && !this.#timer && !this.#closed) {
      this.#timer = setInterval(() => void this.#write(), RENEW_EVERY_MS);
      this.#timer.unref();
      await pruneLeases(this.#db, PRUNE_AFTER_MS).catch(() => undefined); // tidiness, not correctness
    }
    return taken;
  }

  /** Something changed that others wait for: it is told at once, not at the next renewal. */
  tell(): void {
    if (this.#closed || !this.#timer) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      void this.#write();
    }, COALESCE_MS);
  }

  /** Gives the lease back: nothing is open any more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearInterval(this.#timer);
    if (this.#soon) clearTimeout(this.#soon);
    await this.#writing;
    await within(WRITE_WITHIN_MS, 'removing the lease', removeLease(this.#db, this.#identity.gatewayId)).catch((error) => {
      this.#logger.warn({ error: messageOf(error) }, 'the lease could not be removed; it runs out by itself');
    });
  }

  /** One write at a time; what changes meanwhile is written right after. */
  #write(): Promise<boolean> {
    if (this.#writing) {
      this.#again = true;
      return this.#writing;
    }
    this.#writing = this.#writeOnce().finally(() => {
      this.#writing = null;
      if (this.#again && !this.#closed) {
        this.#again = false;
        void this.#write();
      }
    });
    return this.#writing;
  }

  async #writeOnce(): Promise<boolean> {
    try {
      const lease: Lease = { ...this.#identity, ...this.#state() };
      await within(WRITE_WITHIN_MS, 'writing the lease', renewLease(this.#db, lease));
    } catch (error) {
      if (this.#held) this.#logger.warn({ error: messageOf(error) }, 'the lease cannot be renewed: Postgres is away');
      this.#held = false;
      this.#onDemands(null);
      return false;
    }
    if (!this.#held) this.#logger.info('the lease is renewed again');
    this.#held = true;
    await this.#readOthers();
    return true;
  }

  async #readOthers(): Promise<void> {
    try {
      this.#onDemands(await within(WRITE_WITHIN_MS, 'reading the leases', gatewayDemands(this.#db)));
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'the leases of the other gateways cannot be read');
      this.#onDemands(null);
    }
  }
}
