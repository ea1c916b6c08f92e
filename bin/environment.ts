/**
 * The environment: the only place that reads `process.env`. Everything else gets plain values. An empty variable counts as absent,
 * as compose files pass it.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { UellmError } from '../core/domain/errors.ts';
import { parseInput } from '../core/domain/validate.ts';
import { DEFAULT_MAX_MOVING } from '../core/placement/budget.ts';
import { SCHEDULER_POLICIES } from '../core/scheduler/registry.ts';

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
  /** Admin key of API and gateway; without it both answer on loopback only. */
  UELLM_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'a key of printable ASCII characters without blanks')
    .optional(),
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
  /** How a gateway schedules; its own default without it. */
  UELLM_SCHEDULER_POLICY: z.enum(SCHEDULER_POLICIES.map((policy) => policy.name)).optional(),
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
  temporal: { address: string | undefined; namespace: string };
  apiKey: string | undefined;
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

export const isLoopback = (address: string) => address === 'localhost' || address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);

/** Never repeated in an error: one is a key, the other holds a password. */
const SECRETS: ReadonlySet<string> = new Set(['UELLM_API_KEY', 'DATABASE_URL']);

const checkedSchema = environmentSchema
  .refine((e) => isLoopback(e.UELLM_BIND) || e.UELLM_API_KEY !== undefined, {
    path: ['UELLM_BIND'],
    message: 'a loopback address unless UELLM_API_KEY is set: nobody else may get in without a key',
  })
  .superRefine((e, ctx) => {
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
  const here = (port: number) => `http://${reachableAddress(e.UELLM_BIND)}:${port}`;
  return {
    databaseUrl: e.DATABASE_URL,
    temporal: { address: e.TEMPORAL_ADDRESS, namespace: e.TEMPORAL_NAMESPACE },
    apiKey: e.UELLM_API_KEY,
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
  const { ports, bind } = environment;
  const here = (port: number) => `http://${reachableAddress(bind)}:${port}`;
  return { ...environment, apiUrl: here(ports.api), gatewayUrl: here(ports.gateway), profilerUrl: here(ports.profiler) };
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
    UELLM_API_KEY: environment.apiKey,
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
