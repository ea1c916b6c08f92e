/** Everything the pages show, one resource a kind, and what makes each of them be read again. Only what is shown is read. */
import type {
  Change,
  CorrectionResource,
  Cost,
  DeploymentResource,
  DiagnosisAnswer,
  Drain,
  HostResource,
  Info,
  KeyResource,
  ListOf,
  PilotReport,
  PlanDiff,
  PlanResource,
  ProfilerCalibration,
  ProfilerSnapshotResource,
  ProfilerStatus,
  ProposalResource,
  QueryDistribution,
  ReplicaResource,
  RolloutResource,
  SloAttainmentItem,
  SloHistory,
  SloPolicyResource,
  TenantResource,
  ValueReport,
} from '../../../api/schema/index.ts';
import { follow } from '../client/event-stream.ts';
import { ApiError, get, list } from '../client/http.ts';
import { type Announced, announceAll, createFamily, createResource } from './resource.ts';

const API = '/api/v1';
const LIVING = 'reserved,starting,warming,ready,unroutable,draining';
export const ATTAINMENT_WINDOW_SECONDS = 300;
const RECENT_PLANS = 50;
const RECENT_ROLLOUTS = 50;
const RECENTLY_ENDED = 20;
const RECENT_SNAPSHOTS = 100;
const RECENT_CORRECTIONS = 20;
const RECENT_PROPOSALS = 20;
/** Sums over requests are read no more often than this, however many come. */
const SUMS_SPACING_MS = 5000;
const REDRAWN_PER_WINDOW = 600;
const HEAVY_SPACING_MS = 10_000;
const REPLICAS_SPACING_MS = 500;
/** Reckoning with demand takes a while. */
const COST_SPACING_MS = 60_000;

export interface Readiness {
  ready: boolean;
  checks: Record<string, string>;
}

const firstPage = async <T>(path: string): Promise<T[]> => (await get<ListOf<T>>(path)).items;

export const info = createResource(() => get<Info>(`${API}/info`));
export const hosts = createResource(() => list<HostResource>(`${API}/hosts?limit=1000`));
export const deployments = createResource(() => list<DeploymentResource>(`${API}/deployments?limit=1000`));
export const replicas = createResource(() => list<ReplicaResource>(`${API}/replicas?limit=1000&state=${LIVING}`), {
  spacingMs: REPLICAS_SPACING_MS,
});
export const endedReplicas = createResource(() =>
  firstPage<ReplicaResource>(`${API}/replicas?limit=${RECENTLY_ENDED}&state=stopped,failed`),
);
export const rollouts = createResource(() => firstPage<RolloutResource>(`${API}/rollouts?limit=${RECENT_ROLLOUTS}`));
export const plans = createResource(() => firstPage<PlanResource>(`${API}/plans?limit=${RECENT_PLANS}`));
/** By `?from=ID&to=ID`. */
export const planDiff = createFamily((query) => get<PlanDiff>(`${API}/plans/diff${query}`));
export const attainment = createResource(
  () => firstPage<SloAttainmentItem>(`${API}/slo-attainment?windowSeconds=${ATTAINMENT_WINDOW_SECONDS}`),
  { spacingMs: SUMS_SPACING_MS },
);
export const sloPolicies = createResource(() => list<SloPolicyResource>(`${API}/slo-policies?limit=1000`));
export const tenants = createResource(() => list<TenantResource>(`${API}/tenants?limit=1000`));
/** A chart of a week does not change by the second; one of an hour is read every few. */
const spacingOf = (query: string) => (Number(new URLSearchParams(query).get('windowSeconds')) * 1000) / REDRAWN_PER_WINDOW;
/** By the query of the API: `?windowSeconds=3600&policy=chat`. */
export const sloHistory = createFamily((query) => get<SloHistory>(`${API}/slo-attainment/history${query}`), { spacingMs: spacingOf });
export const queryDistribution = createFamily((query) => get<QueryDistribution>(`${API}/observations/distribution${query}`), {
  spacingMs: spacingOf,
});
export const keys = createResource(() => list<KeyResource>(`${API}/keys?limit=1000`));
export const cost = createResource(() => get<Cost>(`${API}/cost`), { spacingMs: COST_SPACING_MS });
export const diagnosis = createResource(() => get<DiagnosisAnswer>(`${API}/diagnosis`), { spacingMs: HEAVY_SPACING_MS });
/** By the query of the report. */
export const valueReport = createFamily((query) => get<ValueReport>(`${API}/reports/value${query}`), { spacingMs: COST_SPACING_MS });
export const profilerStatus = createResource(() => get<ProfilerStatus>(`${API}/profiler/status`), { spacingMs: HEAVY_SPACING_MS });
export const profilerCalibration = createResource(() => get<ProfilerCalibration>(`${API}/profiler/calibration`), {
  spacingMs: HEAVY_SPACING_MS,
});
export const profilerSnapshots = createResource(() =>
  firstPage<ProfilerSnapshotResource>(`${API}/profiler/snapshots?limit=${RECENT_SNAPSHOTS}`),
);
export const proposals = createResource(() => firstPage<ProposalResource>(`${API}/proposals?limit=${RECENT_PROPOSALS}`));
/** Of the last day, by the name of the deployment; a replay of it takes a second. */
export const pilotReport = createFamily((name) => get<PilotReport>(`${API}/deployments/${encodeURIComponent(name)}/pilot`), {
  spacingMs: COST_SPACING_MS,
});
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

/** What is read again when objects of a kind changed. Statuses of hosts and deployments count replicas; drains are how hosts leave. */
const READ_AGAIN: Record<Change['kind'], Announced[]> = {
  hosts: [drains],
  models: [],
  'slo-policies': [attainment, sloPolicies, sloHistory, cost, valueReport],
  tenants: [tenants],
  keys: [keys],
  deployments: [deployments, cost],
  replicas: [replicas, endedReplicas, deployments, drains],
  plans: [plans, planDiff],
  proposals: [proposals, pilotReport],
  rollouts: [rollouts, deployments],
  corrections: [corrections],
  profiler: [profilerStatus, profilerSnapshots],
  routing: [],
  // Where requests come and go, so does what is in the memory of replicas.
  observations: [attainment, sloHistory, queryDistribution, profilerStatus, cost, replicas, valueReport, profilerCalibration, diagnosis],
  readiness: [readiness],
};

export type Connection = 'connecting' | 'live' | 'lost';
let state: Connection = 'connecting';
export const connection = createResource(async () => state);

/** Follows changes, and what is shown follows them. Called once. */
export function startFollowing(): void {
  const show = (next: Connection) => {
    state = next;
    void connection.refresh();
  };
  void follow(`${API}/events`, 'changed', {
    onOpen() {
      show('live');
      announceAll(); // what changed before nobody told us
    },
    onData(data) {
      const { kind } = JSON.parse(data) as Change;
      // Nobody looks at a page in the background; it catches up when it comes to the front.
      if (document.hidden) return;
      for (const resource of READ_AGAIN[kind] ?? []) resource.announce();
    },
    onLost: () => show('lost'),
  });
  document.addEventListener('visibilitychange', () => document.hidden || announceAll());
}

function absent(error: unknown): null {
  if (error instanceof ApiError && error.problem.status === 404) return null;
  throw error;
}
