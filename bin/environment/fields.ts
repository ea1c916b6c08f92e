/** Every variable that is read, with what it may hold and what it is without being given. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { DEFAULT_MAX_MOVING } from '../../core/placement/budget.ts';
import { SCHEDULER_POLICIES } from '../../core/scheduler/registry.ts';
import { gatewayLimitFields } from './gateway-limits.ts';
import { address, port, printableKey, url, whole, yesOrNo } from './sorts.ts';

export const environmentFields = {
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
  TEMPORAL_TLS: yesOrNo.optional(),
  /** PEM files: whom to trust instead of the system's authorities, and what this process shows of itself (mTLS). */
  TEMPORAL_TLS_CA: z.string().optional(),
  TEMPORAL_TLS_CERT: z.string().optional(),
  TEMPORAL_TLS_KEY: z.string().optional(),
  /** The name that the server's certificate must have; the address's host without it. */
  TEMPORAL_TLS_SERVER_NAME: z.string().optional(),
  TEMPORAL_API_KEY: printableKey.optional(),
  /** Keys with which payloads in Temporal are encrypted; without it they are not. */
  UELLM_CODEC_KEY_FILE: z.string().optional(),
  /** PEM files with which API, gateway and profiler serve HTTPS; HTTP without them. */
  UELLM_TLS_CERT: z.string().optional(),
  UELLM_TLS_KEY: z.string().optional(),
  /** Where a control or host worker serves the metrics of Temporal's SDK; nowhere without it. */
  UELLM_WORKER_METRICS_PORT: port.optional(),
  /** Admin key of API, gateway and profiler; without it and without keys in the database they answer on loopback only. */
  UELLM_API_KEY: printableKey.optional(),
  /** Whose tokens the API takes, and for whom they must be; without an issuer it takes keys alone. */
  UELLM_OIDC_ISSUER: z.url({ protocol: /^https?$/, error: 'an https URL, or an http one of this machine' }).optional(),
  UELLM_OIDC_AUDIENCE: z.string().optional(),
  /** Claims that hold the role and the tenant; dots lead into objects. */
  UELLM_OIDC_ROLE_CLAIM: z.string().default('roles'),
  UELLM_OIDC_TENANT_CLAIM: z.string().default('tenant'),
  /** Where the command line finds the API; the local one without it. */
  UELLM_API_URL: url.optional(),
  UELLM_API_PORT: port.default(8080),
  UELLM_GATEWAY_PORT: port.default(8000),
  UELLM_PROFILER_PORT: port.default(8090),
  UELLM_TEMPORAL_PORT: port.default(7233),
  UELLM_TEMPORAL_UI_PORT: port.default(8233),
  /** Where API, gateway and profiler listen. */
  UELLM_BIND: address.default('127.0.0.1'),
  /** What API and dashboard link to; this machine's without them. */
  UELLM_GATEWAY_URL: url.optional(),
  UELLM_TEMPORAL_UI_URL: url.optional(),
  /** Where control worker and gateway find the profiler; the local one without it. */
  UELLM_PROFILER_URL: url.optional(),
  /** Where engines listen and are reached on this host. */
  UELLM_ENGINE_ADDRESS: address.default('127.0.0.1'),
  /** The command that vLLM's flags are appended to on this host, e.g. `docker run ... vllm/vllm-openai`; `python -m vllm...` without it. */
  UELLM_VLLM_COMMAND: z.string().optional(),
  /** The command that Triton's flags are appended to on this host; `tritonserver` without it. */
  UELLM_TRITON_COMMAND: z.string().optional(),
  /** Where a host keeps copies of weights, on a local disk; without it engines read or fetch their weights themselves. */
  UELLM_MODEL_CACHE_DIR: z.string().optional(),
  /** The hub's own client on this host, `hf` of huggingface_hub. */
  UELLM_HF_COMMAND: z.string().default('hf'),
  /** A fetch of weights is given up when nothing has advanced for so long. */
  UELLM_FETCH_STALL_MINUTES: whole(1, 1440, 'of minutes').default(10),
  /** Where gateways send spans of requests, by OTLP over HTTP, e.g. http://collector:4318; no spans without it. */
  OTEL_EXPORTER_OTLP_ENDPOINT: url.optional(),
  /** Share of requests without a parent of their own that are traced. */
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d{1,9})?|1(\.0{1,9})?)$/, 'a number from 0 to 1')
    .default('1')
    .transform(Number),
  /** How a gateway schedules; its own default without it. */
  UELLM_SCHEDULER_POLICY: z.enum(SCHEDULER_POLICIES.map((policy) => policy.name)).optional(),
  /** Processes of a gateway that share its port: each is a gateway of its own to everyone else. */
  UELLM_GATEWAY_WORKERS: whole(1, 64).default(1),
  /** Which of them this is, from 1: set by the process that starts them. */
  UELLM_GATEWAY_WORKER: whole(1, 64).optional(),
  ...gatewayLimitFields,
  /** How long a gateway that ends says so on /readyz while it still takes requests: as long as load balancers take to notice. */
  UELLM_GATEWAY_DRAIN_SECONDS: whole(0, 3600, 'of seconds').default(0),
  /** How long its open requests may then go on; 600 without it, and 5 under `uellm up`. */
  UELLM_GATEWAY_STOP_SECONDS: whole(0, 86_400, 'of seconds').optional(),
  /** This build of the control worker: workflows stay on the build that they began on. Without it, builds are not told apart. */
  UELLM_BUILD_ID: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'at most 100 letters, digits, dots, dashes and underscores')
    .optional(),
  /** Whether a control worker makes its build the current one as it starts, or somebody does that in Temporal. */
  UELLM_BUILD_CURRENT: yesOrNo.default('false'),
  /** How often the control plane compares what was predicted with what happened; 0 switches that off. */
  UELLM_MONITOR_SECONDS: z
    .string()
    .regex(/^\d{1,2}$/, 'seconds from 1 to 60, or 0 for no monitoring')
    .default('10')
    .transform(Number)
    .refine((seconds) => seconds <= 60, 'seconds from 1 to 60, or 0 for no monitoring'),
  /** From when this host is suspect until it counts as lost. */
  UELLM_HOST_LOST_SECONDS: whole(5, 3600, 'of seconds').default(60),
  /** How many replicas may be moving at once in the whole cluster: drains, rebalances and replacements together. */
  UELLM_MAX_MOVING: whole(1, 1000).default(DEFAULT_MAX_MOVING),
  /** How long observations are kept: days that are over. */
  UELLM_OBSERVATION_RETENTION_DAYS: whole(1, 3650, 'of days').default(30),
  /** Where the key is with which words of prompts are hashed; `uellm up` makes one without it, other gateways look at lengths alone. */
  UELLM_FEATURE_KEY_FILE: z.string().optional(),
  /** Kinds of accelerators beside those of the catalog, or other figures for them. */
  UELLM_ACCELERATORS_FILE: z.string().optional(),
  UELLM_DATA_DIR: z.string().default('.uellm'),
  /** Downloads that several installations share. */
  UELLM_CACHE_DIR: z.string().default(join(homedir(), '.cache', 'uellm')),
  UELLM_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
};
