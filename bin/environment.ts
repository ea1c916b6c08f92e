/**
 * The environment: it and `environment/` alone read `process.env`. Everything else gets plain values. An empty variable counts as absent,
 * as compose files pass it.
 */
import { resolve } from 'node:path';
import { parseVariables, type Variables } from './environment/checks.ts';
import { environmentFields } from './environment/fields.ts';
import { type GatewayLimits, gatewayLimitsOf } from './environment/gateway-limits.ts';

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

/**
 * @param flags values of flags that stand for variables, and win
 * @throws invalid-input that names the variable, what it holds and what it may hold
 */
export function readEnvironment(variables: NodeJS.ProcessEnv = process.env, flags: NodeJS.ProcessEnv = {}): Environment {
  const given = Object.entries({ ...variables, ...flags });
  const present = Object.fromEntries(given.filter(([, value]) => value !== ''));
  const e = parseVariables(present);
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
function temporalOf(e: Variables): Environment['temporal'] {
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

/** Every variable that `readEnvironment` knows, for the compose file's check. */
export const ENVIRONMENT_VARIABLES: readonly string[] = Object.keys(environmentFields);
