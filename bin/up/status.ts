/** What the live table shows, read from Postgres. */
import { isTerminalPhase } from '../../core/domain/rollout.ts';
import type { Executor } from '../../db/client.ts';
import { listHosts } from '../../db/queries/hosts.ts';
import { type SloAttainment, sloAttainment } from '../../db/queries/observation-reads.ts';
import { livingReplicas } from '../../db/queries/replicas.ts';
import { listRollouts } from '../../db/queries/rollout-reads.ts';
import type { TrafficCounts } from '../demo/traffic.ts';

/** Requests are counted over this long at most, seconds. */
const WINDOW_SECONDS = 60;

export interface ClassStatus {
  name: string;
  /** Of the window, those that their client cancelled left out. */
  requests: number;
  /** Share of them that met every target, 0 to 1. */
  attained: number;
}

export interface DeploymentStatus {
  name: string;
  simulated: boolean;
  hosts: { host: string; ready: number; all: number }[];
}

export interface Status {
  /** What `classes` counts over, seconds: shorter where traffic has not been watched for long. */
  windowSeconds: number;
  /** What the clients of this very terminal saw; null where it sends no traffic (yet). */
  clients: Pick<TrafficCounts, 'sent' | 'ok' | 'refused' | 'failed' | 'cut'> | null;
  classes: ClassStatus[];
  deployments: DeploymentStatus[];
  /** What rollouts and drains are doing, one line each. */
  activity: string[];
}

/** @param watchedSinceMs when the traffic began: what was answered before is not counted */
export async function readStatus(db: Executor, nowMs: number, watchedSinceMs: number, clients: Status['clients']): Promise<Status> {
  const windowSeconds = windowOf(nowMs, watchedSinceMs);
  const [attainment, replicas, rollouts, hosts] = await Promise.all([
    sloAttainment(db, new Date(nowMs - windowSeconds * 1000), null),
    livingReplicas(db),
    listRollouts(db, { limit: 20 }, {}),
    listHosts(db, { limit: 100 }),
  ]);
  const running = rollouts.items.filter((rollout) => !isTerminalPhase(rollout.status.phase));
  const away = hosts.items.filter((host) => host.service !== 'schedulable' || host.liveness === 'suspect' || host.liveness === 'lost');
  return {
    windowSeconds,
    clients,
    classes: byClass(attainment),
    deployments: byDeployment(replicas),
    activity: [
      ...running.map(({ id, status }) => `rollout ${id}: ${status.phase}, ${status.stage}${status.reason ? ` (${status.reason})` : ''}`),
      ...away.map(({ name, service, liveness, reason }) => {
        const state = service === 'schedulable' ? liveness : service;
        return `host ${name}: ${state}${reason ? ` (${reason})` : ''}`;
      }),
    ],
  };
}

/** Whole seconds, at least one: of a moment there is no rate. */
export function windowOf(nowMs: number, watchedSinceMs: number): number {
  return Math.min(WINDOW_SECONDS, Math.max(1, Math.round((nowMs - watchedSinceMs) / 1000)));
}

/** Policies and deployments of a class together. */
export function byClass(attainment: readonly Pick<SloAttainment, 'class' | 'requests' | 'attained'>[]): ClassStatus[] {
  const totals = new Map<string, { requests: number; met: number }>();
  for (const row of attainment) {
    const total = totals.get(row.class) ?? { requests: 0, met: 0 };
    totals.set(row.class, { requests: total.requests + row.requests, met: total.met + row.requests * row.attained });
  }
  return [...totals]
    .map(([name, { requests, met }]) => ({ name, requests, attained: met / requests }))
    .sort((a, b) => b.requests - a.requests || a.name.localeCompare(b.name));
}

interface ReplicaPlace {
  deployment: string;
  host: string;
  state: string;
  simulated: boolean;
}

export function byDeployment(replicas: readonly ReplicaPlace[]): DeploymentStatus[] {
  const deployments = new Map<string, DeploymentStatus>();
  for (const { deployment, host, state, simulated } of replicas) {
    const status = deployments.get(deployment) ?? { name: deployment, simulated: true, hosts: [] };
    let place = status.hosts.find((h) => h.host === host);
    if (!place) {
      place = { host, ready: 0, all: 0 };
      status.hosts.push(place);
    }
    place.all += 1;
    if (state === 'ready') place.ready += 1;
    status.simulated &&= simulated;
    deployments.set(deployment, status);
  }
  const all = [...deployments.values()].sort((a, b) => a.name.localeCompare(b.name));
  for (const status of all) status.hosts.sort((a, b) => a.host.localeCompare(b.host));
  return all;
}
