/** What a gateway shares with the control plane through Postgres, none of it on a request's way: routing, lease, snapshot, observations. */
import type { Logger } from 'pino';
import type { Observation } from '../../core/domain/observation.ts';
import type { ProfilerSnapshot } from '../../core/profiler/snapshot.ts';
import type { DatabaseConnection } from '../../db/client.ts';
import { listen } from '../../db/listen.ts';
import { insertObservations } from '../../db/queries/observations.ts';
import { SNAPSHOT_CHANNEL } from '../../db/queries/profiler.ts';
import { ROUTING_CHANNEL } from '../../db/queries/routing.ts';
import type { TenantBudgets } from '../access/tenant-budgets.ts';
import type { Metrics } from '../accounts/metrics.ts';
import { ObservationLog } from '../accounts/observations.ts';
import { Spool } from '../accounts/spool.ts';
import { BudgetSharing } from '../several/budget-sharing.ts';
import { LeaseKeeper, type LeaseKeeperOptions, type LeaseState } from '../several/lease.ts';
import { PostgresRouting } from './postgres-routing.ts';
import type { RoutingView } from './routing.ts';
import { SnapshotFeed } from './snapshot.ts';

export interface ControlPlane {
  snapshot(): ProfilerSnapshot;
  observe(observation: Observation): void;
  /** What the lease says has changed in a way that others wait for. */
  tellLease(): void;
  /** Once nothing is open any more. */
  close(): Promise<void>;
}

export interface ControlPlaneOptions {
  database: DatabaseConnection;
  spoolDir: string;
  gatewayId: string;
  /** Base URL of this gateway. */
  address: string;
  /** Name of the policy that it schedules by. */
  schedulerPolicy: string;
  logger: Logger;
  metrics: Metrics;
  applyRouting: (view: RoutingView) => void;
  leaseState: () => LeaseState;
  onDemands: LeaseKeeperOptions['onDemands'];
  budgets: TenantBudgets;
}

/** Returns at once: Postgres may be away, then and later. @throws where the spool's folder cannot be had */
export async function connectControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { database, logger, metrics, gatewayId, address, schedulerPolicy } = options;
  const { db } = database;
  const spool = new Spool(options.spoolDir);
  await spool.load();
  const { budgets } = options;
  const observations = new ObservationLog({
    deliver: (batch) => insertObservations(db, batch),
    onDelivered: (batch) => budgets.delivered(batch),
    spool,
    metrics,
    logger,
  });
  const sharing = new BudgetSharing(db, gatewayId, budgets, observations, logger);
  const snapshots = new SnapshotFeed(db, logger);
  const { leaseState, onDemands } = options;
  const lease = new LeaseKeeper({ db, identity: { gatewayId, address, schedulerPolicy }, state: leaseState, onDemands, logger });
  const routing = new PostgresRouting({
    db,
    logger,
    beforeFirst: () => lease.take(),
    // No tenant begins with a whole day's tokens, or all of a minute's, because its share was not heard yet.
    beforeApply: async ({ table }) => {
      if (budgets.declare(table.tenants ?? [], performance.now(), Date.now())) await sharing.ask();
    },
  });
  routing.start(options.applyRouting);
  const listener = listen(database.pool, [ROUTING_CHANNEL, SNAPSHOT_CHANNEL], {
    onNotice: (channel) => (channel === ROUTING_CHANNEL ? routing.refresh() : snapshots.refresh()),
    onConnected: () => {
      routing.refresh();
      snapshots.refresh();
    },
    onError: (error) => logger.warn({ error: error.message }, 'the connection that listens for changes broke; it is made again'),
  });
  return {
    snapshot: () => snapshots.current,
    observe: (observation) => observations.add(observation),
    tellLease: () => lease.tell(),
    async close() {
      await listener.close();
      await Promise.all([routing.close(), snapshots.close(), observations.close()]);
      await sharing.close();
      await lease.close();
    },
  };
}
