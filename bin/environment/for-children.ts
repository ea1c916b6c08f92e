/** The environment as the variables that child processes read it from. */
import type { Environment } from '../environment.ts';
import { PORT_VARIABLES } from './checks.ts';
import { gatewayLimitVariables } from './gateway-limits.ts';

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
