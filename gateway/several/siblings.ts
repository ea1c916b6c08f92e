/** Gateways that are processes of one machine and share a port: whichever of them is asked tells of all of them together. */
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';
import { groupBy } from '../../core/domain/group-by.ts';
import type { ClassStats } from '../accounts/stats.ts';
import type { DeploymentStats, GatewayStats, ReplicaStats } from '../accounts/views.ts';

/** What one of them says of itself. */
export interface GatewayPart {
  stats: GatewayStats;
  metrics: MetricObjectWithValues<MetricValue<string>>[];
}

export interface Siblings {
  /** What each of them says, the present one among them, without those that do not say it in time. Rejects where none does. */
  ask(): Promise<GatewayPart[]>;
  /** How the present one is asked. */
  answerWith(part: () => Promise<GatewayPart>): void;
}

/** Counts are added up; gauges as their metric says. */
export function mergedMetrics(parts: readonly GatewayPart[]): Promise<string> {
  return AggregatorRegistry.aggregate(parts.map(({ metrics }) => metrics)).metrics();
}

/** As one gateway would say it. Its id is all of theirs, its routing version that of the one furthest behind. */
export function mergedStats(parts: readonly GatewayPart[]): GatewayStats {
  const all = parts.map(({ stats }) => stats).sort((a, b) => (a.gatewayId < b.gatewayId ? -1 : 1));
  return {
    gatewayId: all.map((stats) => stats.gatewayId).join(','),
    routingVersion: Math.min(...all.map((stats) => stats.routingVersion)),
    draining: all.every((stats) => stats.draining),
    uptimeSeconds: Math.max(...all.map((stats) => stats.uptimeSeconds)),
    open: sumOf(all, (stats) => stats.open),
    deployments: grouped(
      all.flatMap((stats) => stats.deployments),
      (deployment) => deployment.name,
    ).map(mergedDeployment),
    replicas: grouped(
      all.flatMap((stats) => stats.replicas),
      (replica) => replica.id,
    ).map(mergedReplica),
  };
}

function mergedDeployment(parts: DeploymentStats[]): DeploymentStats {
  return {
    ...parts[0]!,
    healthyReplicas: Math.min(...parts.map((part) => part.healthyReplicas)),
    inFlight: sumOf(parts, (part) => part.inFlight),
    queued: sumOf(parts, (part) => part.queued),
    classes: grouped(
      parts.flatMap((part) => part.classes),
      (part) => part.class,
    ).map(mergedClass),
  };
}

function mergedReplica(parts: ReplicaStats[]): ReplicaStats {
  return {
    ...parts[0]!,
    healthy: parts.every((part) => part.healthy),
    inFlight: sumOf(parts, (part) => part.inFlight),
    finished: sumOf(parts, (part) => part.finished),
  };
}

/** The attainment is weighted by the requests of each. */
function mergedClass(parts: ClassStats[]): ClassStats {
  const counted = parts.filter(({ lastMinute }) => lastMinute.attainment !== null && lastMinute.requestsPerSecond > 0);
  const rate = sumOf(counted, ({ lastMinute }) => lastMinute.requestsPerSecond);
  return {
    class: parts[0]!.class,
    requests: sumOf(parts, (part) => part.requests),
    ok: sumOf(parts, (part) => part.ok),
    failed: sumOf(parts, (part) => part.failed),
    shed: sumOf(parts, (part) => part.shed),
    cancelled: sumOf(parts, (part) => part.cancelled),
    lastMinute: {
      requestsPerSecond: sumOf(parts, ({ lastMinute }) => lastMinute.requestsPerSecond),
      outputTokensPerSecond: sumOf(parts, ({ lastMinute }) => lastMinute.outputTokensPerSecond),
      attainment: rate === 0 ? null : sumOf(counted, ({ lastMinute: m }) => m.attainment! * m.requestsPerSecond) / rate,
    },
  };
}

/** In the order in which they first come. */
const grouped = <T>(items: readonly T[], keyOf: (item: T) => string): T[][] => [...groupBy(items, keyOf).values()];

const sumOf = <T>(items: readonly T[], count: (item: T) => number) => items.reduce((sum, item) => sum + count(item), 0);
