/**
 * The environment: the only place that reads `process.env`. Everything else gets plain values. An empty variable counts as absent,
 * as compose files pass it.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { isLoopbackAddress } from '../core/domain/access.ts';
import { UellmError } from '../core/domain/errors.ts';
import { parseInput } from '../core/domain/validate.ts';
import { DEFAULT_MAX_MOVING } from '../core/placement/budget.ts';
import { SCHEDULER_POLICIES } from '../core/scheduler/registry.ts';
import { type GatewayLimits, gatewayLimitFields, gatewayLimitsOf, gatewayLimitVariables } from './gateway-limits.ts';

const portSchema = z
  .string()
  .regex(/^\d{1,5}$/, 'a port number from 1 to 65535')
  .transform(Number)
  .refine((port) => port >= 1 && port <= 65_535, 'a port number from 1 to 65535');

const addressSchema = z.string().regex(/^[\w.:-]+$/, 'an IP address or a host name');

const environmentSchema = z.object({
  /** An existing Postgres; `uellm up` starts one of its own without it. */
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'a URL that begins with postgres://')
    .optional(),
  /** An existing Temporal server; `uellm up` starts one of its own without it. */
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^/\s]+:\d+$/, 'HOST:PORT')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  /** TLS to the server of TEMPORAL_ADDRESS; on by itself where one of the following is set. These names are those of Temporal's own command line. */
  TEMPORAL_TLS: z.enum(['true', 'false']).optional(),
  /** PEM files: whom to trust instead of the system's authorities, and what this process shows of itself (mTLS). */
  TEMPORAL_TLS_CA: z.string().optional(),
  TEMPORAL_TLS_CERT: z.string().optional(),
  TEMPORAL_TLS_KEY: z.string().optional(),
  /** The name that the server's certificate must have; the address's host without it. */
  TEMPORAL_TLS_SERVER_NAME: z.string().optional(),
  TEMPORAL_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'a key of printable ASCII characters without blanks')
    .optional(),
  /** Keys with which payloads in Temporal are encrypted; without it they are not. */
  UELLM_CODEC_KEY_FILE: z.string().optional(),
  /** PEM files with which API, gateway and profiler serve HTTPS; HTTP without them. */
  UELLM_TLS_CERT: z.string().optional(),
  UELLM_TLS_KEY: z.string().optional(),
  /** Where a control or host worker serves the metrics of Temporal's SDK; nowhere without it. */
  UELLM_WORKER_METRICS_PORT: portSchema.optional(),
  /** Admin key of API, gateway and profiler; without it and without keys in the database they answer on loopback only. */
  UELLM_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'a key of printable ASCII characters without blanks')
    .optional(),
  /** Whose tokens the API takes, and for whom they must be; without an issuer it takes keys alone. */
  UELLM_OIDC_ISSUER: z.url({ protocol: /^https?$/, error: 'an https URL, or an http one of this machine' }).optional(),
  UELLM_OIDC_AUDIENCE: z.string().optional(),
  /** Claims that hold the role and the tenant; dots lead into objects. */
  UELLM_OIDC_ROLE_CLAIM: z.string().default('roles'),
  UELLM_OIDC_TENANT_CLAIM: z.string().default('tenant'),
  /** Where the command line finds the API; the local one without it. */
  UELLM_API_URL: z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).optional(),
  UELLM_API_PORT: portSchema.default(8080),
  UELLM_GATEWAY_PORT: portSchema.default(8000),
  UELLM_PROFILER_PORT: portSchema.default(8090),
  UELLM_TEMPORAL_PORT: portSchema.default(7233),
  UELLM_TEMPORAL_UI_PORT: portSchema.default(8233),
  /** Where API, gateway and profiler listen. */
  UELLM_BIND: addressSchema.default('127.0.0.1'),
  /** What API and dashboard link to; this machine's without them. */
  UELLM_GATEWAY_URL: z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).optional(),
  UELLM_TEMPORAL_UI_URL: z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).optional(),
  /** Where control worker and gateway find the profiler; the local one without it. */
  UELLM_PROFILER_URL: z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).optional(),
  /** Where engines listen and are reached on this host. */
  UELLM_ENGINE_ADDRESS: addressSchema.default('127.0.0.1'),
  /** The command that vLLM's flags are appended to on this host, e.g. `docker run ... vllm/vllm-openai`; `python -m vllm...` without it. */
  UELLM_VLLM_COMMAND: z.string().optional(),
  /** The command that Triton's flags are appended to on this host; `tritonserver` without it. */
  UELLM_TRITON_COMMAND: z.string().optional(),
  /** Where a host keeps copies of weights, on a local disk; without it engines read or fetch their weights themselves. */
  UELLM_MODEL_CACHE_DIR: z.string().optional(),
  /** The hub's own client on this host, `hf` of huggingface_hub. */
  UELLM_HF_COMMAND: z.string().default('hf'),
  /** A fetch of weights is given up when nothing has advanced for so long. */
  UELLM_FETCH_STALL_MINUTES: z
    .string()
    .regex(/^\d{1,4}$/, 'a whole number of minutes from 1 to 1440')
    .default('10')
    .transform(Number)
    .refine((minutes) => minutes >= 1 && minutes <= 1440, 'a whole number of minutes from 1 to 1440'),
  /** Where gateways send spans of requests, by OTLP over HTTP, e.g. http://collector:4318; no spans without it. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/, error: 'an http(s) URL' }).optional(),
  /** Share of requests without a parent of their own that are traced. */
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, 'a number from 0 to 1')
    .default('1')
    .transform(Number),
  /** How a gateway schedules; its own default without it. */
  UELLM_SCHEDULER_POLICY: z.enum(SCHEDULER_POLICIES.map((policy) => policy.name)).optional(),
  /** Processes of a gateway that share its port: each is a gateway of its own to everyone else. */
  UELLM_GATEWAY_WORKERS: z
    .string()
    .regex(/^\d{1,2}$/, 'a whole number from 1 to 64')
    .default('1')
    .transform(Number)
    .refine((workers) => workers >= 1 && workers <= 64, 'a whole number from 1 to 64'),
  /** Which of them this is, from 1: set by the process that starts them. */
  UELLM_GATEWAY_WORKER: z
    .string()
    .regex(/^\d{1,2}$/, 'a whole number from 1 to 64')
    .transform(Number)
    .optional(),
  ...gatewayLimitFields,
  /** How long a gateway that ends says so on /readyz while it still takes requests: as long as load balancers take to notice. */
  UELLM_GATEWAY_DRAIN_SECONDS: z
    .string()
    .regex(/^\d{1,4}$/, 'a whole number of seconds from 0 to 3600')
    .default('0')
    .transform(Number)
    .refine((seconds) => seconds <= 3600, 'a whole number of seconds from 0 to 3600'),
  /** How long its open requests may then go on; 600 without it, and 5 under `uellm up`. */
  UELLM_GATEWAY_STOP_SECONDS: z
    .string()
    .regex(/^\d{1,5}$/, 'a whole number of seconds from 0 to 86400')
    .transform(Number)
    .refine((seconds) => seconds <= 86_400, 'a whole number of seconds from 0 to 86400')
    .optional(),
  /** This build of the control worker: workflows stay on the build that they began on. Without it, builds are not told apart. */
  UELLM_BUILD_ID: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'at most 100 letters, digits, dots, dashes and underscores')
    .optional(),
  /** Whether a control worker makes its build the current one as it starts, or somebody does that in Temporal. */
  UELLM_BUILD_CURRENT: z.enum(['true', 'false']).default('false'),
  /** How often the control plane compares what was predicted with what happened; 0 switches that off. */
  UELLM_MONITOR_SECONDS: z
    .string()
    .regex(/^\d{1,2}$/, 'seconds from 1 to 60, or 0 for no monitoring')
    .default('10')
    .transform(Number)
    .refine((seconds) => seconds <= 60, 'seconds from 1 to 60, or 0 for no monitoring'),
  /** From when this host is suspect until it counts as lost. */
  UELLM_HOST_LOST_SECONDS: z
    .string()
    .regex(/^\d{1,4}$/, 'a whole number of seconds from 5 to 3600')
    .default('60')
    .transform(Number)
    .refine((seconds) => seconds >= 5 && seconds <= 3600, 'a whole number of seconds from 5 to 3600'),
  /** How many replicas may be moving at once in the whole cluster: drains, rebalances and replacements together. */
  UELLM_MAX_MOVING: z
    .string()
    .regex(/^\d{1,4}$/, 'a whole number from 1 to 1000')
    .default(String(DEFAULT_MAX_MOVING))
    .transform(Number)
    .refine((moves) => moves >= 1 && moves <= 1000, 'a whole number from 1 to 1000'),
  /** How long observations are kept: days that are over. */
  UELLM_OBSERVATION_RETENTION_DAYS: z
    .string()
    .regex(/^\d{1,4}$/, 'a whole number of days from 1 to 3650')
    .default('30')
    .transform(Number)
    .refine((days) => days >= 1 && days <= 3650, 'a whole number of days from 1 to 3650'),
  /** Where the key is with which words of prompts are hashed; `uellm up` makes one without it, other gateways look at lengths alone. */
  UELLM_FEATURE_KEY_FILE: z.string().optional(),
  /** Kinds of accelerators beside those of the catalog, or other figures for them. */
  UELLM_ACCELERATORS_FILE: z.string().optional(),
  UELLM_DATA_DIR: z.string().default('.uellm'),
  /** Downloads that several installations share. */
  UELLM_CACHE_DIR: z.string().default(join(homedir(), '.cache', 'uellm')),
  UELLM_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export interface Environment {
  databaseUrl: string | undefined;
  temporal: {
    address: string | undefined;
    namespace: string;
    /** Absolute paths; undefined for no TLS. */
    tls?: { ca: string | undefined; cert: string | undefined; key: string | undefined; serverName: string | undefined } | undefined;
    apiKey?: string | undefined;
  };
  /** Absolute; undefined for payloads in plain text. */
  codecKeyFile: string | undefined;
  /** Absolute paths; undefined for plain HTTP. */
  tls: { cert: string; key: string } | undefined;
  workerMetricsPort: number | undefined;
  apiKey: string | undefined;
  /** undefined: keys alone. */
  oidc: { issuer: string; audience: string; roleClaim: string; tenantClaim: string } | undefined;
  apiUrl: string;
  gatewayUrl: string;
  temporalUiUrl: string;
  profilerUrl: string;
  ports: { api: number; gateway: number; profiler: number; temporal: number; temporalUi: number };
  bind: string;
  engineAddress: string;
  /** Its words; undefined for the driver's own default. */
  vllmCommand: string[] | undefined;
  tritonCommand: string[] | undefined;
  /** Absolute; undefined for no cache. */
  modelCacheDir: string | undefined;
  /** Its words. */
  hfCommand: string[];
  fetchStallMinutes: number;
  schedulerPolicy: string | undefined;
  /** undefined for none. */
  tracing: { endpoint: string; share: number } | undefined;
  /** `worker`: which of several this process is, from 1; undefined for one that is alone or starts them. `stopSeconds` undefined: the role's own. */
  gateway: { workers: number; worker: number | undefined; drainSeconds: number; stopSeconds: number | undefined; limits: GatewayLimits };
  /** `id` undefined: builds are not told apart. */
  build: { id: string | undefined; makeCurrent: boolean };
  /** 0 for never. */
  monitorSeconds: number;
  maxMoving: number;
  observationRetentionDays: number;
  hostLostSeconds: number;
  /** Absolute. */
  featureKeyFile: string | undefined;
  /** Absolute. */
  acceleratorsFile: string | undefined;
  /** Absolute. */
  dataDir: string;
  cacheDir: string;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** The variable behind each port, for errors about a taken one. */
export const PORT_VARIABLES: Readonly<Record<keyof Environment['ports'], string>> = {
  api: 'UELLM_API_PORT',
  gateway: 'UELLM_GATEWAY_PORT',
  profiler: 'UELLM_PROFILER_PORT',
  temporal: 'UELLM_TEMPORAL_PORT',
  temporalUi: 'UELLM_TEMPORAL_UI_PORT',
};

/** Never repeated in an error: one is a key, the other holds a password. */
const SECRETS: ReadonlySet<string> = new Set(['UELLM_API_KEY', 'DATABASE_URL', 'TEMPORAL_API_KEY']);

/** Each with its key. */
const CERTIFICATES = [
  ['TEMPORAL_TLS_CERT', 'TEMPORAL_TLS_KEY'],
  ['UELLM_TLS_CERT', 'UELLM_TLS_KEY'],
] as const;

const checkedSchema = environmentSchema
  .refine((e) => isLoopbackAddress(e.UELLM_BIND) || e.UELLM_API_KEY !== undefined || e.DATABASE_URL !== undefined, {
    path: ['UELLM_BIND'],
    message: 'a loopback address unless UELLM_API_KEY is set: nobody else may get in without a key',
  })
  .superRefine((e, ctx) => {
    const issuer = e.UELLM_OIDC_ISSUER && new URL(e.UELLM_OIDC_ISSUER);
    if (issuer && issuer.protocol !== 'https:' && !isLoopbackAddress(issuer.hostname.replace(/^\[|\]$/g, '')))
      ctx.addIssue({ code: 'custom', path: ['UELLM_OIDC_ISSUER'], message: 'an https URL, or an http one of this machine' });
    if (issuer && e.UELLM_OIDC_AUDIENCE === undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['UELLM_OIDC_AUDIENCE'],
        message: 'the audience that tokens of UELLM_OIDC_ISSUER name for this API',
      });
    for (const [cert, key] of CERTIFICATES)
      if ((e[cert] === undefined) !== (e[key] === undefined))
        ctx.addIssue({
          code: 'custom',
          path: [e[key] === undefined ? key : cert],
          message: `a file, as ${e[key] === undefined ? cert : key} is one`,
        });
    const seen = new Map<number, string>();
    for (const name of Object.values(PORT_VARIABLES) as (keyof typeof e)[]) {
      const other = seen.get(e[name] as number);
      if (other) ctx.addIssue({ code: 'custom', path: [name], message: `a port other than that of ${other}` });
      seen.set(e[name] as number, name);
    }
  });

/**
 * @param flags values of flags that stand for variables, and win
 * @throws invalid-input that names the variable, what it holds and what it may hold
 */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env, flags: NodeJS.ProcessEnv = {}): Environment {
  const given = Object.entries({ ...variables, ...flags });
  const present = Object.fromEntries(given.filter(([, value]) => value !== ''));
  const e = parseHidingSecrets(present);
  const here = (port: number) => `${e.UELLM_TLS_CERT ? 'https' : 'http'}://${reachableAddress(e.UELLM_BIND)}:${port}`;
  return {
    databaseUrl: e.DATABASE_URL,
    temporal: temporalOf(e),
    codecKeyFile: e.UELLM_CODEC_KEY_FILE && resolve(e.UELLM_CODEC_KEY_FILE),
    tls: e.UELLM_TLS_CERT && e.UELLM_TLS_KEY ? { cert: resolve(e.UELLM_TLS_CERT), key: resolve(e.UELLM_TLS_KEY) } : undefined,
    workerMetricsPort: e.UELLM_WORKER_METRICS_PORT,
    apiKey: e.UELLM_API_KEY,
    oidc:
      e.UELLM_OIDC_ISSUER && e.UELLM_OIDC_AUDIENCE
        ? {
            issuer: e.UELLM_OIDC_ISSUER,
            audience: e.UELLM_OIDC_AUDIENCE,
            roleClaim: e.UELLM_OIDC_ROLE_CLAIM,
            tenantClaim: e.UELLM_OIDC_TENANT_CLAIM,
          }
        : undefined,
    apiUrl: e.UELLM_API_URL ?? here(e.UELLM_API_PORT),
    gatewayUrl: e.UELLM_GATEWAY_URL ?? here(e.UELLM_GATEWAY_PORT),
    temporalUiUrl: e.UELLM_TEMPORAL_UI_URL ?? `http://127.0.0.1:${e.UELLM_TEMPORAL_UI_PORT}`,
    profilerUrl: e.UELLM_PROFILER_URL ?? here(e.UELLM_PROFILER_PORT),
    ports: {
      api: e.UELLM_API_PORT,
      gateway: e.UELLM_GATEWAY_PORT,
      profiler: e.UELLM_PROFILER_PORT,
      temporal: e.UELLM_TEMPORAL_PORT,
      temporalUi: e.UELLM_TEMPORAL_UI_PORT,
    },
    bind: e.UELLM_BIND,
    engineAddress: e.UELLM_ENGINE_ADDRESS,
    vllmCommand: e.UELLM_VLLM_COMMAND?.trim().split(/\s+/),
    tritonCommand: e.UELLM_TRITON_COMMAND?.trim().split(/\s+/),
    modelCacheDir: e.UELLM_MODEL_CACHE_DIR && resolve(e.UELLM_MODEL_CACHE_DIR),
    hfCommand: e.UELLM_HF_COMMAND.trim().split(/\s+/),
    fetchStallMinutes: e.UELLM_FETCH_STALL_MINUTES,
    schedulerPolicy: e.UELLM_SCHEDULER_POLICY,
    tracing: e.OTEL_EXPORTER_OTLP_ENDPOINT ? { endpoint: e.OTEL_EXPORTER_OTLP_ENDPOINT, share: e.OTEL_TRACES_SAMPLER_ARG } : undefined,
    gateway: {
      workers: e.UELLM_GATEWAY_WORKERS,
      worker: e.UELLM_GATEWAY_WORKER,
      drainSeconds: e.UELLM_GATEWAY_DRAIN_SECONDS,
      stopSeconds: e.UELLM_GATEWAY_STOP_SECONDS,
      limits: gatewayLimitsOf(e),
    },
    build: { id: e.UELLM_BUILD_ID, makeCurrent: e.UELLM_BUILD_CURRENT === 'true' },
    monitorSeconds: e.UELLM_MONITOR_SECONDS,
    maxMoving: e.UELLM_MAX_MOVING,
    observationRetentionDays: e.UELLM_OBSERVATION_RETENTION_DAYS,
    hostLostSeconds: e.UELLM_HOST_LOST_SECONDS,
    featureKeyFile: e.UELLM_FEATURE_KEY_FILE && resolve(e.UELLM_FEATURE_KEY_FILE),
    acceleratorsFile: acceleratorsFile(present),
    dataDir: resolve(e.UELLM_DATA_DIR),
    cacheDir: resolve(e.UELLM_CACHE_DIR),
    logLevel: e.UELLM_LOG_LEVEL,
  };
}

/** TLS and the key are for a server that is named; our own, on this machine, has neither. */
function temporalOf(e: z.output<typeof checkedSchema>): Environment['temporal'] {
  const [ca, cert, key] = [e.TEMPORAL_TLS_CA, e.TEMPORAL_TLS_CERT, e.TEMPORAL_TLS_KEY].map((file) => file && resolve(file));
  const serverName = e.TEMPORAL_TLS_SERVER_NAME;
  const wanted = e.TEMPORAL_TLS ? e.TEMPORAL_TLS === 'true' : [ca, cert, serverName, e.TEMPORAL_API_KEY].some((v) => v !== undefined);
  const named = e.TEMPORAL_ADDRESS !== undefined;
  return {
    address: e.TEMPORAL_ADDRESS,
    namespace: e.TEMPORAL_NAMESPACE,
    tls: named && wanted ? { ca, cert, key, serverName } : undefined,
    apiKey: named ? e.TEMPORAL_API_KEY : undefined,
  };
}

/** By itself: commands that need nothing else of the environment know the same kinds as the roles. @returns an absolute path */
export function acceleratorsFile({ UELLM_ACCELERATORS_FILE: file }: NodeJS.ProcessEnv = process.env): string | undefined {
  return file ? resolve(file) : undefined;
}

/** The address at which this machine reaches what it bound to, as it stands in a URL. */
function reachableAddress(bind: string): string {
  if (bind === '0.0.0.0' || bind === '::') return '127.0.0.1';
  return bind.includes(':') ? `[${bind}]` : bind;
}

/** An installation that is whole on this machine: its parts find each other here, wherever else the variables point. */
export function onThisMachine(environment: Environment): Environment {
  const { ports, bind, tls } = environment;
  const here = (port: number) => `${tls ? 'https' : 'http'}://${reachableAddress(bind)}:${port}`;
  // Whoever ends the whole system does not wait for the longest stream.
  const gateway = { ...environment.gateway, stopSeconds: environment.gateway.stopSeconds ?? 5 };
  return { ...environment, gateway, apiUrl: here(ports.api), gatewayUrl: here(ports.gateway), profilerUrl: here(ports.profiler) };
}

function parseHidingSecrets(present: Record<string, string | undefined>): z.output<typeof checkedSchema> {
  try {
    return parseInput(checkedSchema, present, 'the environment');
  } catch (error) {
    if (!(error instanceof UellmError) || error.detail.kind !== 'invalid-input') throw error;
    const issues = error.detail.issues.map((issue) => (SECRETS.has(issue.field) ? { ...issue, given: 'something else' } : issue));
    throw new UellmError({ ...error.detail, issues });
  }
}

/** The variables that give a child process this environment, beside everything else that ours holds. */
export function variablesOf(environment: Environment): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DATABASE_URL: environment.databaseUrl,
    TEMPORAL_ADDRESS: environment.temporal.address,
    TEMPORAL_NAMESPACE: environment.temporal.namespace,
    TEMPORAL_TLS: String(environment.temporal.tls !== undefined),
    TEMPORAL_TLS_CA: environment.temporal.tls?.ca,
    TEMPORAL_TLS_CERT: environment.temporal.tls?.cert,
    TEMPORAL_TLS_KEY: environment.temporal.tls?.key,
    TEMPORAL_TLS_SERVER_NAME: environment.temporal.tls?.serverName,
    TEMPORAL_API_KEY: environment.temporal.apiKey,
    UELLM_CODEC_KEY_FILE: environment.codecKeyFile,
    UELLM_TLS_CERT: environment.tls?.cert,
    UELLM_TLS_KEY: environment.tls?.key,
    UELLM_WORKER_METRICS_PORT: environment.workerMetricsPort?.toString(),
    UELLM_API_KEY: environment.apiKey,
    UELLM_OIDC_ISSUER: environment.oidc?.issuer,
    UELLM_OIDC_AUDIENCE: environment.oidc?.audience,
    UELLM_OIDC_ROLE_CLAIM: environment.oidc?.roleClaim,
    UELLM_OIDC_TENANT_CLAIM: environment.oidc?.tenantClaim,
    UELLM_API_URL: environment.apiUrl,
    UELLM_GATEWAY_URL: environment.gatewayUrl,
    UELLM_TEMPORAL_UI_URL: environment.temporalUiUrl,
    UELLM_PROFILER_URL: environment.profilerUrl,
    ...Object.fromEntries(
      Object.entries(PORT_VARIABLES).map(([port, name]) => [name, String(environment.ports[port as keyof Environment['ports']])]),
    ),
    UELLM_BIND: environment.bind,
    UELLM_ENGINE_ADDRESS: environment.engineAddress,
    UELLM_VLLM_COMMAND: environment.vllmCommand?.join(' '),
    UELLM_TRITON_COMMAND: environment.tritonCommand?.join(' '),
    UELLM_MODEL_CACHE_DIR: environment.modelCacheDir,
    UELLM_HF_COMMAND: environment.hfCommand.join(' '),
    UELLM_FETCH_STALL_MINUTES: String(environment.fetchStallMinutes),
    UELLM_SCHEDULER_POLICY: environment.schedulerPolicy,
    OTEL_EXPORTER_OTLP_ENDPOINT: environment.tracing?.endpoint,
    OTEL_TRACES_SAMPLER_ARG: environment.tracing && String(environment.tracing.share),
    UELLM_GATEWAY_WORKERS: String(environment.gateway.workers),
    UELLM_GATEWAY_WORKER: environment.gateway.worker?.toString(),
    UELLM_GATEWAY_DRAIN_SECONDS: String(environment.gateway.drainSeconds),
    UELLM_GATEWAY_STOP_SECONDS: environment.gateway.stopSeconds?.toString(),
    ...gatewayLimitVariables(environment.gateway.limits),
    UELLM_BUILD_ID: environment.build.id,
    UELLM_BUILD_CURRENT: String(environment.build.makeCurrent),
    UELLM_MONITOR_SECONDS: String(environment.monitorSeconds),
    UELLM_MAX_MOVING: String(environment.maxMoving),
    UELLM_OBSERVATION_RETENTION_DAYS: String(environment.observationRetentionDays),
    UELLM_HOST_LOST_SECONDS: String(environment.hostLostSeconds),
    UELLM_FEATURE_KEY_FILE: environment.featureKeyFile,
    UELLM_ACCELERATORS_FILE: environment.acceleratorsFile,
    UELLM_DATA_DIR: environment.dataDir,
    UELLM_CACHE_DIR: environment.cacheDir,
    UELLM_LOG_LEVEL: environment.logLevel,
  };
}

/** Some of our own variables, for children that should see no others. */
export function inheritedVariables(...names: string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.map((name) => [name, process.env[name]]));
}

/** Every variable that `readEnvironment` knows, for the compose file's check. */
export const ENVIRONMENT_VARIABLES: readonly string[] = Object.keys(environmentSchema.shape);
