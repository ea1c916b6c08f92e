/** Everything the page shows, one resource a kind, and what makes each of them be read again. */
import type {
  Change,
  CorrectionResource,
  Cost,
  DeploymentResource,
  Drain,
  HostResource,
  Info,
  ListOf,
  PlanResource,
  ProfilerSnapshotResource,
  ProfilerStatus,
  ReplicaResource,
  RolloutResource,
  SloAttainmentItem,
} from '../../../api/schema/index.ts';
import { follow } from '../client/event-stream.ts';
import { ApiError, get, list } from '../client/http.ts';
import { createResource, type Resource } from './resource.ts';

const API = '/api/v1';
const LIVING = 'reserved,starting,warming,ready,unroutable,draining';
export const ATTAINMENT_WINDOW_SECONDS = 300;
const RECENT_PLANS = 12;
const RECENT_ROLLOUTS = 50;
const RECENTLY_ENDED = 20;
const RECENT_SNAPSHOTS = 100;
const RECENT_CORRECTIONS = 20;

export interface Readiness {
  ready: boolean;
  checks: Record<string, string>;
}

const firstPage = async <T>(path: string): Promise<T[]> => (await get<ListOf<T>>(path)).items;

export const info = createResource(() => get<Info>(`${API}/info`));
export const hosts = createResource(() => list<HostResource>(`${API}/hosts?limit=1000`));
export const deployments = createResource(() => list<DeploymentResource>(`${API}/deployments?limit=1000`));
export const replicas = createResource(() => list<ReplicaResource>(`${API}/replicas?limit=1000&state=${LIVING}`));
export const endedReplicas = createResource(() =>
  firstPage<ReplicaResource>(`${API}/replicas?limit=${RECENTLY_ENDED}&state=stopped,failed`),
);
export const rollouts = createResource(() => firstPage<RolloutResource>(`${API}/rollouts?limit=${RECENT_ROLLOUTS}`));
export const plans = createResource(() => firstPage<PlanResource>(`${API}/plans?limit=${RECENT_PLANS}`));
export const attainment = createResource(() =>
  firstPage<SloAttainmentItem>(`${API}/slo-attainment?windowSeconds=${ATTAINMENT_WINDOW_SECONDS}`),
);
export const cost = createResource(() => get<Cost>(`${API}/cost`));
export const profilerStatus = createResource(() => get<ProfilerStatus>(`${API}/profiler/status`));
export const profilerSnapshots = createResource(() =>
  firstPage<ProfilerSnapshotResource>(`${API}/profiler/snapshots?limit=${RECENT_SNAPSHOTS}`),
);
export const corrections = createResource(() => firstPage<CorrectionResource>(`${API}/corrections?limit=${RECENT_CORRECTIONS}`));
/** Drains of the hosts that are not in service. */
export const drains = createResource(async () => {
  await hosts.refresh();
  const away = (hosts.snapshot.value ?? []).filter((h) => h.status.service !== 'schedulable');
  const known = await Promise.all(away.map((h) => get<Drain>(`${API}/hosts/${h.name}/drain`).catch(absent)));
  return known.filter((drain) => drain !== null);
});
/** Answers 503 with the same body when it is not ready. */
export const readiness = createResource(async (): Promise<Readiness> => (await fetch('/readyz')).json());

/** What to read again when objects of a kind changed. Statuses of hosts and deployments count replicas; drains are how hosts leave. */
const READ_AGAIN: Record<Change['kind'], Resource<unknown>[]> = {
  hosts: [drains],
  models: [],
  'slo-policies': [attainment, cost],
  tenants: [],
  keys: [],
  deployments: [deployments, cost],
  replicas: [replicas, endedReplicas, deployments, drains],
  plans: [plans],
  rollouts: [rollouts, deployments],
  corrections: [corrections],
  profiler: [profilerStatus, profilerSnapshots],
  routing: [],
};
const ALL: Resource<unknown>[] = [
  ...[info, readiness, drains, deployments, replicas, endedReplicas, rollouts, plans, attainment],
  ...[profilerStatus, profilerSnapshots, corrections, cost],
];

export type Connection = 'connecting' | 'live' | 'lost';
let state: Connection = 'connecting';
export const connection = createResource(async () => state);

export function refreshAll(): void {
  for (const resource of ALL) void resource.refresh();
}

const ATTAINMENT_EVERY_MS = 5000;
const READINESS_EVERY_MS = 10_000;
/** Nobody announces which replicas a gateway still reaches. */
const REPLICAS_EVERY_MS = 5000;
/** Demand and what is answered, nobody announces; reckoning with them takes a while. */
const COST_EVERY_MS = 60_000;
/** How many observations wait, nobody announces. */
const PROFILER_EVERY_MS = 10_000;
/** How far a running drain is, nobody announces. */
const DRAINS_EVERY_MS = 2000;

/** Reads everything, then follows changes. Called once. */
export function startFollowing(): void {
  const show = (next: Connection) => {
    state = next;
    void connection.refresh();
  };
  refreshAll();
  void follow(`${API}/events`, 'changed', {
    onOpen() {
      show('live');
      refreshAll(); // what changed before nobody told us
    },
    onData(data) {
      const { kind } = JSON.parse(data) as Change;
      for (const resource of READ_AGAIN[kind] ?? []) void resource.refresh();
    },
    onLost: () => show('lost'),
  });
  every(ATTAINMENT_EVERY_MS, () => attainment.refresh());
  every(READINESS_EVERY_MS, () => readiness.refresh());
  every(REPLICAS_EVERY_MS, () => [replicas, deployments].map((resource) => resource.refresh()));
  every(COST_EVERY_MS, () => cost.refresh());
  every(PROFILER_EVERY_MS, () => profilerStatus.refresh());
  every(DRAINS_EVERY_MS, () => (drains.snapshot.value ?? []).some((d) => d.running) && drains.refresh());
}

function every(ms: number, act: () => unknown): void {
  setInterval(() => document.hidden || act(), ms);
}

function absent(error: unknown): null {
  if (error instanceof ApiError && error.problem.status === 404) return null;
  throw error;
}
