/**
 * Prometheus metrics of the gateway: llm-d's names with our prefix. Deployments come from the routing table; classes come from clients, so
 * only so many get a label of their own and the rest are `other`.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { SeriesCounter, SeriesHistogram } from './series.ts';

const MAX_LABELS = 1000;
const OTHER = 'other';

const SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const TOKEN_SECONDS = [0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1];
const DECISION_SECONDS = [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 5e-3, 0.025];

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const by = ['deployment', 'class'] as const;
  const registers = [registry];
  const histogram = (name: string, help: string, bounds: number[]) =>
    new SeriesHistogram(registry, { name: `uellm_${name}`, help, bounds, labelNames: by });
  /** Of what every request counts. */
  const series = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new SeriesCounter(registry, { name: `uellm_${name}`, help, labelNames });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `uellm_${name}`, help, labelNames: [...labelNames], registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[], aggregator: 'sum' | 'min' | 'max' = 'sum') =>
    new Gauge({ name: `uellm_${name}`, help, labelNames: [...labelNames], aggregator, registers });

  const classes = new Set<string>();
  const tenants = new Set<string>();
  return {
    registry,
    ttft: histogram('request_ttft_seconds', 'From acceptance to the first token of a streamed answer.', SECONDS),
    tpot: histogram('request_streaming_tpot_seconds', 'Mean time per output token after the first.', TOKEN_SECONDS),
    duration: histogram('request_duration_seconds', 'From acceptance to the end of the answer.', SECONDS),
    queue: histogram('request_queue_seconds', 'Time held in the queue of the gateway.', SECONDS),
    predictedTtft: histogram('request_predicted_ttft_seconds', 'Predicted when the request was released, its wait included.', SECONDS),
    predictedTpot: histogram('request_predicted_tpot_seconds', 'Predicted when the request was released.', TOKEN_SECONDS),
    sloRequests: series('slo_requests_total', 'Requests that count for their SLO policy: neither cancelled nor rejected.', ['policy']),
    sloMissed: series('slo_requests_missed_total', 'Those of them that did not meet it: a target was missed, or there was no answer.', [
      'policy',
    ]),
    violations: counter('request_slo_violation_total', 'Targets missed: ttft, tpot, e2e.', [...by, 'type']),
    requests: series('requests_total', 'Requests ended, by outcome.', [...by, 'outcome']),
    outputTokens: series('output_tokens_total', 'Output tokens that engines reported.', by),
    refused: series(
      'gateway_refused_total',
      'Requests refused before it was known which deployment they are for, by the code of their error.',
      ['code'],
    ),
    flow: series('flow_control_requests_total', 'What became of requests in the queue.', ['deployment', 'outcome']),
    queueSize: gauge('flow_control_queue_size', 'Requests waiting.', ['deployment']),
    heldBytes: gauge('held_body_bytes', 'Bytes of the bodies of requests that are coming, wait, or whose answer has not begun.', []),
    retries: counter('upstream_retries_total', 'Attempts that failed before a token was sent, by reason.', ['deployment', 'reason']),
    scheduler: new SeriesHistogram(registry, {
      name: 'uellm_scheduler_e2e_duration_seconds',
      help: 'One decision of the scheduling policy.',
      bounds: DECISION_SECONDS,
      labelNames: [],
    }),
    policyFailures: counter('scheduler_failures_total', 'Times that the policy threw and least-in-flight took over.', ['deployment']),
    inFlight: gauge('replica_in_flight', 'Requests of this gateway open on a replica.', ['deployment', 'replica']),
    share: gauge('replica_share', 'Requests that this gateway may have open on a replica, beside those of other gateways.', [
      'deployment',
      'replica',
    ]),
    healthy: gauge('replica_healthy', '1 while the replica may be sent to.', ['deployment', 'replica'], 'min'),
    routingVersion: gauge('routing_version', 'Version of the routing table in force.', [], 'min'),
    observationsWaiting: gauge('observations_waiting', 'Observations not yet delivered: in memory, and spooled on disk.', ['where']),
    observationsLost: counter('observations_lost_total', 'Observations given up.', ['reason']),
    // Of tenants that have limits:
    tenantRequests: series('tenant_requests_total', 'Requests of a tenant that ended.', ['tenant']),
    tenantTokens: series('tenant_tokens_total', 'Tokens that engines have spent on a tenant, prompts and answers.', ['tenant']),
    tenantRefused: counter('tenant_rate_limited_total', 'Requests refused for a limit of their tenant.', ['tenant', 'limit']),
    tenantInFlight: gauge('tenant_requests_in_flight', 'Requests of a tenant open at this gateway.', ['tenant']),
    tenantTokensToday: gauge('tenant_tokens_today', 'Tokens of the present UTC day, all gateways together.', ['tenant'], 'max'),
    tenantLimit: gauge('tenant_limit', 'The limits of a tenant.', ['tenant', 'limit'], 'max'),
    tenantShare: gauge('tenant_limit_share', 'The share of the limits that is this gateway’s.', ['tenant']),
    /** A class as a label. */
    classLabel: (name: string) => capped(classes, name),
    tenantLabel: (name: string) => capped(tenants, name),
  };
}

/** The name, or `other` once there are so many that each cannot have a series of its own. */
function capped(seen: Set<string>, name: string): string {
  if (seen.has(name)) return name;
  if (seen.size >= MAX_LABELS) return OTHER;
  seen.add(name);
  return name;
}
