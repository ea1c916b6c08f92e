/**
 * Routing from Postgres: read again on every notice, on every reconnect, and every 2 s in case a notice was lost. While Postgres is away
 * the last table stays in force.
 */
import type { Logger } from 'pino';
import { messageOf } from '../../core/domain/errors.ts';
import type { Database, Executor } from '../../db/client.ts';
import { keysInForce } from '../../db/queries/keys.ts';
import { currentRoutingVersion, type DeploymentTarget, deploymentTargets, loadRoutingTable } from '../../db/queries/routing.ts';
import { within } from '../deadline.ts';
import type { RoutingSource, RoutingView } from './routing.ts';

const REFRESH_EVERY_MS = 2000;
const READ_WITHIN_MS = 5000;

export interface PostgresRoutingOptions {
  db: Database;
  logger: Logger;
  /**
   * Runs before the first table is read, until it says true. The lease is taken here: who drains a replica must know of this gateway before
   * this gateway knows of the replica.
   */
  beforeFirst: () => Promise<boolean>;
  /** Runs before a table is applied. */
  beforeApply: (view: RoutingView) => Promise<void>;
}

export class PostgresRouting implements RoutingSource {
  readonly #options: PostgresRoutingOptions;
  #apply: ((view: RoutingView) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> | null = null;
  #again = false;
  #present: RoutingView | null = null;
  #away = false;

  constructor(options: PostgresRoutingOptions) {
    this.#options = options;
  }

  start(apply: (view: RoutingView) => void): void {
    this.#apply = apply;
    this.#timer = setInterval(() => this.refresh(), REFRESH_EVERY_MS);
    this.#timer.unref();
    this.refresh();
  }

  /** Something may have changed. Reads are one after the other, so that an older table never follows a newer one. */
  refresh(): void {
    if (!this.#apply) return;
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = this.#read().finally(() => {
      this.#reading = null;
      if (!this.#again) return;
      this.#again = false;
      this.refresh();
    });
  }

  async close(): Promise<void> {
    this.#apply = null;
    if (this.#timer) clearInterval(this.#timer);
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { db, logger, beforeFirst } = this.#options;
    try {
      if (!this.#present && !(await beforeFirst())) return;
      const view = await within(READ_WITHIN_MS, 'reading the routing table', readView(db, this.#present));
      if (this.#away) logger.info('the routing table is read again');
      this.#away = false;
      if (!view || !this.#apply) return;
      await this.#options.beforeApply(view);
      this.#apply?.(view);
      this.#present = view;
    } catch (error) {
      if (!this.#away) logger.warn({ error: messageOf(error) }, 'the routing table cannot be read: the last one stays in force');
      this.#away = true;
    }
  }
}

/** The view as it is now, or null where it is the one we have. */
async function readView(db: Database, present: RoutingView | null): Promise<RoutingView | null> {
  const deployments = await deploymentTargets(db);
  if (present && (await currentRoutingVersion(db)) === present.table.version) {
    return sameTargets(deployments, present.deployments) ? null : { ...present, deployments };
  }
  const read = async (tx: Executor) => ({ table: await loadRoutingTable(tx), keys: await keysInForce(tx) });
  return { deployments, ...(await db.transaction(read, { isolationLevel: 'repeatable read', accessMode: 'read only' })) };
}

function sameTargets(a: readonly DeploymentTarget[], b: readonly DeploymentTarget[]): boolean {
  return a.length === b.length && a.every((target, i) => target.name === b[i]?.name && target.model === b[i]?.model);
}
