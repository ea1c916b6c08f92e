/** The client of the admin API: its addresses as functions, its shapes as types. Knows nothing of servers; the CLI is built on it. */
import { messageOf, UellmError } from '../core/domain/errors.ts';
import type {
  AuditResource,
  CorrectionResource,
  Cost,
  DeploymentResource,
  DiagnosisAnswer,
  Drain,
  DrainInput,
  DrainStarted,
  HostResource,
  Info,
  KeyCreated,
  KeyInput,
  KeyResource,
  ListOf,
  LogTail,
  ModelResource,
  ObservationResource,
  ObservationsDeleted,
  PilotReport,
  PlanDiff,
  PlanResource,
  Problem,
  ProfilerSnapshotResource,
  ProfilerStatus,
  ProposalDecision,
  ProposalResource,
  Rebalance,
  RebalanceStarted,
  ReplicaResource,
  RolloutAction,
  RolloutResource,
  RolloutStarted,
  ScheduleInput,
  ScheduleResource,
  SloAttainmentItem,
  SloPolicyResource,
  TenantResource,
  ValueReport,
  ValueReportPart,
  WhatIf,
  WhatIfInput,
} from './schema/index.ts';

/** What each collection holds. */
export interface Collections {
  hosts: HostResource;
  models: ModelResource;
  'slo-policies': SloPolicyResource;
  tenants: TenantResource;
  deployments: DeploymentResource;
  replicas: ReplicaResource;
  plans: PlanResource;
  proposals: ProposalResource;
  rollouts: RolloutResource;
  observations: ObservationResource;
  corrections: CorrectionResource;
  audit: AuditResource;
  keys: KeyResource;
}
export type Collection = keyof Collections;
export type DeclaredCollection = 'hosts' | 'models' | 'slo-policies' | 'tenants' | 'deployments';

/** What the API said when it declined. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

export interface Versioned<T> {
  object: T;
  etag: string;
}

export interface ApiClientOptions {
  /** Base URL, e.g. `http://127.0.0.1:8080`. */
  url: string;
  apiKey?: string | undefined;
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** Longer than anything the API itself waits for. */
const TIMEOUT_MS = 30_000;
/** Deleting goes through all there is, in small portions. The API goes on with it when nobody waits any more; `fetch` itself waits 300 s. */
const DELETION_TIMEOUT_MS = 300_000;
/** Pricing the SLOs of fifty deployments takes some ten seconds of computing, and others may be before us. */
const COST_TIMEOUT_MS = 120_000;

type Query = Record<string, string | number | undefined>;

interface CallOptions {
  query?: Query;
  body?: unknown;
  ifMatch?: string;
  timeoutMs?: number;
}

export type ApiClient = ReturnType<typeof createApiClient>;

/** Every function throws `ApiProblem` for what the API declines, and `unavailable` when it does not answer. */
export function createApiClient({ url, apiKey, fetch = globalThis.fetch }: ApiClientOptions) {
  const base = `${url.replace(/\/+$/, '')}/api/v1`;

  async function call(method: string, path: string, options: CallOptions = {}): Promise<Response> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (apiKey) headers.authorization = `Bearer ${apiKey}`;
    if (options.ifMatch) headers['if-match'] = options.ifMatch;
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS) };
    if (options.body !== undefined) {
      headers['content-type'] = 'application/json';
      init.body = JSON.stringify(options.body);
    }
    const response = await fetch(`${base}/${path}${queryText(options.query)}`, init).catch((error) => {
      throw unreachable(url, error);
    });
    if (!response.ok) throw await declined(response, url);
    return response;
  }
  const json = async <T>(method: string, path: string, options?: Parameters<typeof call>[2]) =>
    (await (await call(method, path, options)).json()) as T;
  const versioned = async <T>(response: Response): Promise<Versioned<T>> => ({
    object: (await response.json()) as T,
    etag: response.headers.get('etag') ?? '*',
  });
  const at = (...segments: string[]) => segments.map(encodeURIComponent).join('/');

  return {
    list: <C extends Collection>(collection: C, query?: Query) => json<ListOf<Collections[C]>>('GET', collection, { query: query ?? {} }),
    get: <C extends Collection>(collection: C, name: string) => json<Collections[C]>('GET', at(collection, name)),
    /** A declared object and its version; undefined where there is none of that name. */
    async find<C extends DeclaredCollection>(collection: C, name: string): Promise<Versioned<Collections[C]> | undefined> {
      try {
        return await versioned(await call('GET', at(collection, name)));
      } catch (error) {
        if (error instanceof ApiProblem && error.problem.status === 404) return undefined;
        throw error;
      }
    },
    create: <C extends DeclaredCollection>(collection: C, object: unknown) => json<Collections[C]>('POST', collection, { body: object }),
    replace: <C extends DeclaredCollection>(collection: C, name: string, object: unknown, ifMatch: string) =>
      json<Collections[C]>('PUT', at(collection, name), { body: object, ifMatch }),
    /** @param drain of a deployment: drain and stop the replicas that it still has */
    remove: (collection: DeclaredCollection, name: string, { drain }: { drain?: boolean | undefined } = {}) =>
      call('DELETE', at(collection, name), { query: { drain: drain ? 'true' : undefined } }).then(() => undefined),

    startRollout: (deployment: string, revision?: number) =>
      json<RolloutStarted>('POST', at('deployments', deployment, 'rollouts'), { body: revision === undefined ? {} : { revision } }),
    actOnRollout: (id: string, action: RolloutAction, reason = '') =>
      json<RolloutResource>('POST', at('rollouts', id, action), { body: { reason } }),
    decideProposal: (id: string, decision: ProposalDecision, reason = '') =>
      json<ProposalResource>('POST', at('proposals', id, decision), { body: { reason } }),
    pilotReport: (deployment: string, hours: number) =>
      json<PilotReport>('GET', at('deployments', deployment, 'pilot'), { query: { hours }, timeoutMs: COST_TIMEOUT_MS }),
    startDrain: (host: string, options: DrainInput = {}) => json<DrainStarted>('POST', at('hosts', host, 'drain'), { body: options }),
    drain: (host: string) => json<Drain>('GET', at('hosts', host, 'drain')),
    uncordon: (host: string) => json<HostResource>('POST', at('hosts', host, 'uncordon')),
    planDiff: (from: string, to: string) => json<PlanDiff>('GET', at('plans', 'diff'), { query: { from, to } }),
    startRebalance: (dryRun: boolean) => json<RebalanceStarted>('POST', 'rebalances', { body: { dryRun } }),
    cancelRebalance: () => json<RebalanceStarted>('POST', at('rebalances', 'cancel')),
    schedules: () => json<{ items: ScheduleResource[] }>('GET', 'schedules'),
    changeSchedule: (name: string, change: ScheduleInput) => json<ScheduleResource>('PATCH', at('schedules', name), { body: change }),
    rebalance: (workflowId: string) => json<Rebalance>('GET', at('rebalances', workflowId)),
    deleteObservations: (tenant: string) =>
      json<ObservationsDeleted>('DELETE', 'observations', { query: { tenant }, timeoutMs: DELETION_TIMEOUT_MS }),
    profilerStatus: () => json<ProfilerStatus>('GET', 'profiler/status'),
    rollBackProfiler: (toVersion: number) => json<ProfilerSnapshotResource>('POST', 'profiler/rollback', { body: { toVersion } }),
    sloAttainment: (windowSeconds: number) => json<ListOf<SloAttainmentItem>>('GET', 'slo-attainment', { query: { windowSeconds } }),
    /** @param tpotMs levels at which to price the SLO beside its own, comma-separated */
    cost: (query: { deployment?: string | undefined; tpotMs?: string | undefined; windowSeconds?: number | undefined } = {}) =>
      json<Cost>('GET', 'cost', { query, timeoutMs: COST_TIMEOUT_MS }),
    valueReport: (query: { from?: string | undefined; to?: string | undefined } = {}) =>
      json<ValueReport>('GET', 'reports/value', { query, timeoutMs: COST_TIMEOUT_MS }),
    /** The same as a table. @param by what a row is */
    valueReportCsv: async (query: { from?: string | undefined; to?: string | undefined; by: ValueReportPart }) =>
      (await call('GET', 'reports/value', { query: { ...query, format: 'csv' }, timeoutMs: COST_TIMEOUT_MS })).text(),
    whatIf: (input: WhatIfInput) => json<WhatIf>('POST', 'what-if', { body: input, timeoutMs: COST_TIMEOUT_MS }),
    diagnosis: (query: { deployment?: string | undefined; windowSeconds?: number | undefined } = {}) =>
      json<DiagnosisAnswer>('GET', 'diagnosis', { query, timeoutMs: COST_TIMEOUT_MS }),
    createKey: (input: KeyInput) => json<KeyCreated>('POST', 'keys', { body: input }),
    revokeKey: (id: string) => call('DELETE', at('keys', id)).then(() => undefined),
    /** The end of a log on a host: that of its worker, or of a replica's engine. */
    log: (collection: 'hosts' | 'replicas', name: string, lines: number) =>
      json<LogTail>('GET', at(collection, name, 'log'), { query: { lines } }),
    info: () => json<Info>('GET', 'info'),
  };
}

function queryText(query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as [string, string]]));
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

function unreachable(url: string, error: unknown): UellmError {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const reason = `${messageOf(cause) || (cause as { code?: string }).code}; is it running ('npm start', or 'uellm up')? UELLM_API_URL says where it is`;
  return new UellmError({ kind: 'unavailable', what: `the admin API at ${url}`, reason }, { cause: error });
}

async function declined(response: Response, url: string): Promise<Error> {
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json');
  if (isProblem) return new ApiProblem((await response.json()) as Problem);
  const reason = `it answers ${response.status} without saying why: is this a uellm API?`;
  return new UellmError({ kind: 'unavailable', what: `the admin API at ${url}`, reason });
}
