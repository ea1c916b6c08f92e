/** The demand to plan for, of every deployment at once: what gateways delivered lately, who delivers, and what came on earlier days. */
import { DEFAULT_DEMAND, type DeploymentSpec } from '../core/domain/deployment.ts';
import { DEFAULT_HORIZON_MS, type Forecast, forecastDemand } from '../core/placement/forecast/forecast.ts';
import { recentBuckets } from '../core/placement/forecast/recent.ts';
import type { Executor } from '../db/client.ts';
import { arrivalHistoryAround } from '../db/queries/arrival-history.ts';
import { arrivalsByDeployment, reportingGateways } from '../db/queries/planning-reads.ts';

const WINDOW_MS = 30 * 60_000;
const BUCKET_SECONDS = 30;

/** One query a source, whatever the number of deployments. */
export async function loadForecasts(db: Executor, nowMs: number): Promise<(spec: DeploymentSpec) => Forecast> {
  const since = new Date(nowMs - WINDOW_MS);
  const arrivals = await arrivalsByDeployment(db, since, BUCKET_SECONDS);
  const gateways = await reportingGateways(db, since);
  const history = await arrivalHistoryAround(db, nowMs, DEFAULT_HORIZON_MS);
  const anyArrivals = new Set(arrivals.map((a) => a.bucketStartMs));
  const arrivalsOf = byDeployment(arrivals);
  const historyOf = byDeployment(history);
  const shared = { anyArrivals, gateways, bucketSeconds: BUCKET_SECONDS, windowMs: WINDOW_MS, nowMs };
  return (spec) =>
    forecastDemand({
      declared: spec.demand ?? DEFAULT_DEMAND,
      recent: recentBuckets({ counted: arrivalsOf(spec.name), ...shared }),
      bucketSeconds: BUCKET_SECONDS,
      history: historyOf(spec.name),
      nowMs,
      horizonMs: DEFAULT_HORIZON_MS,
    });
}

function byDeployment<T extends { deployment: string }>(rows: readonly T[]): (deployment: string) => readonly T[] {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.deployment);
    if (group) group.push(row);
    else groups.set(row.deployment, [row]);
  }
  return (deployment) => groups.get(deployment) ?? [];
}
