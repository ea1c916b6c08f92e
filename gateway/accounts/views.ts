/** What the gateway tells of itself: the list of models, and live figures. */
import type { EngineLoad } from '../../core/scheduler/types.ts';
import type { Dispatcher } from '../dispatcher.ts';
import type { Fleet } from '../fleet.ts';
import type { Routes } from '../routes/routing.ts';
import type { Metrics } from './metrics.ts';
import type { ClassStats, Stats } from './stats.ts';

export interface ModelView {
  id: string;
  object: 'model';
  created: number;
  owned_by: 'uellm';
  uellm: { simulated: boolean };
}

export interface ModelList {
  object: 'list';
  data: ModelView[];
}

/** Names that a request would be served under right now. `created` is when this gateway began to serve, Unix seconds. */
export function listModels(routes: Routes | null, fleet: Fleet, startedAtMs: number): ModelList {
  const created = Math.floor(startedAtMs / 1000);
  const data = (routes?.names() ?? []).flatMap((id) => {
    const replicas = routes!.destination(id)!.deployments.flatMap((d) => fleet.eligible(d));
    if (replicas.length === 0) return [];
    const simulated = replicas.some((r) => r.row.simulated);
    return [{ id, object: 'model' as const, created, owned_by: 'uellm' as const, uellm: { simulated } }];
  });
  return { object: 'list', data };
}

export interface GatewayStats {
  gatewayId: string;
  routingVersion: number;
  draining: boolean;
  uptimeSeconds: number;
  /** Requests that were accepted and have not ended. */
  open: number;
  deployments: DeploymentStats[];
  replicas: ReplicaStats[];
}

export interface DeploymentStats {
  name: string;
  model: string;
  simulated: boolean;
  routedReplicas: number;
  healthyReplicas: number;
  inFlight: number;
  queued: number;
  /** By which it is scheduled: the gateway's own, or `least-in-flight` in shadow mode. */
  policy: string;
  classes: ClassStats[];
}

export interface ReplicaStats {
  id: string;
  deployment: string;
  revision: number;
  host: string;
  weight: number;
  healthy: boolean;
  simulated: boolean;
  inFlight: number;
  finished: number;
  /** As the engine reports, all gateways together; null where it does not. */
  engine: EngineLoad | null;
}

/** @param nowMs on the monotonic clock */
export function gatewayStats(
  gateway: { gatewayId: string; draining: boolean; startedMs: number; open: number; routes: Routes | null },
  { fleet, dispatcher, stats }: { fleet: Fleet; dispatcher: Dispatcher; stats: Stats },
  nowMs: number,
): GatewayStats {
  const { routes } = gateway;
  const replicas = fleet.routed();
  const deployments = (routes?.deployments() ?? []).map(({ name, model }): DeploymentStats => {
    const own = replicas.filter((r) => r.deployment === name);
    return {
      name,
      model,
      simulated: own.some((r) => r.row.simulated),
      routedReplicas: own.length,
      healthyReplicas: own.filter((r) => r.healthy).length,
      inFlight: own.reduce((sum, r) => sum + r.inFlight, 0),
      queued: dispatcher.queued(name),
      policy: dispatcher.policyOf(name),
      classes: stats.classes(name, nowMs),
    };
  });
  return {
    gatewayId: gateway.gatewayId,
    routingVersion: routes?.version ?? 0,
    draining: gateway.draining,
    uptimeSeconds: (nowMs - gateway.startedMs) / 1000,
    open: gateway.open,
    deployments,
    replicas: replicas.map((r) => ({
      id: r.id,
      deployment: r.deployment,
      revision: r.revision,
      host: r.row.host,
      weight: r.weight,
      healthy: r.healthy,
      simulated: r.row.simulated,
      inFlight: r.inFlight,
      finished: r.finished,
      engine: r.gauges && { running: r.gauges.running, waiting: r.gauges.waiting, kvCacheUsage: r.gauges.kvCacheUsage },
    })),
  };
}

/** Gauges are set when they are asked for. */
export function setGauges(metrics: Metrics, routes: Routes | null, fleet: Fleet, dispatcher: Dispatcher, heldBytes: number): void {
  for (const gauge of [metrics.inFlight, metrics.share, metrics.healthy, metrics.queueSize]) gauge.reset();
  metrics.routingVersion.set(routes?.version ?? 0);
  metrics.heldBytes.set(heldBytes);
  for (const replica of fleet.routed()) {
    const labels = { deployment: replica.deployment, replica: replica.id };
    metrics.inFlight.set(labels, replica.inFlight);
    metrics.share.set(labels, replica.maxInFlight);
    metrics.healthy.set(labels, replica.eligible ? 1 : 0);
  }
  for (const deployment of dispatcher.deployments()) metrics.queueSize.set({ deployment }, dispatcher.queued(deployment));
}
