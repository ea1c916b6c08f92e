/**
 * Prometheus metrics of the gateway: llm-d's names with our prefix. Deployments come from the routing table; classes come from clients, so
 * only so many get a label of their own and the rest are `other`.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

const MAX_CLASSES = 1000;
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
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `uellm_${name}`, help, buckets, labelNames: by, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `uellm_${name}`, help, labelNames: [...labelNames], registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name: `uellm_${name}`, help, labelNames: [...labelNames], registers });

  const classes = new Set<string>();
  return {
    registry,
    ttft: histogram('request_ttft_seconds', 'From acceptance to the first token of a streamed answer.', SECONDS),
    tpot: histogram('request_streaming_tpot_seconds', 'Mean time per output token after the first.', TOKEN_SECONDS),
    duration: histogram('request_duration_seconds', 'From acceptance to the end of the answer.', SECONDS),
    queue: histogram('request_queue_seconds', 'Time held in the queue of the gateway.', SECONDS),
    predictedTtft: histogram('request_predicted_ttft_seconds', 'Predicted when the request was released, its wait included.', SECONDS),
    predictedTpot: histogram('request_predicted_tpot_seconds', 'Predicted when the request was released.', TOKEN_SECONDS),
    violations: counter('request_slo_violation_total', 'Targets missed: ttft, tpot, e2e.', [...by, 'type']),
    requests: counter('requests_total', 'Requests ended, by outcome.', [...by, 'outcome']),
    outputTokens: counter('output_tokens_total', 'Output tokens that engines reported.', by),
    flow: counter('flow_control_requests_total', 'What became of requests in the queue.', ['deployment', 'outcome']),
    queueSize: gauge('flow_control_queue_size', 'Requests waiting.', ['deployment']),
    retries: counter('upstream_retries_total', 'Attempts that failed before a token was sent, by reason.', ['deployment', 'reason']),
    scheduler: new Histogram({
      name: 'uellm_scheduler_e2e_duration_seconds',
      help: 'One decision of the scheduling policy.',
      buckets: DECISION_SECONDS,
      registers,
    }),
    policyFailures: counter('scheduler_failures_total', 'Times that the policy threw and least-in-flight took over.', ['deployment']),
    inFlight: gauge('replica_in_flight', 'Requests of this gateway open on a replica.', ['deployment', 'replica']),
    healthy: gauge('replica_healthy', '1 while the replica may be sent to.', ['deployment', 'replica']),
    routingVersion: gauge('routing_version', 'Version of the routing table in force.', []),
    observationsWaiting: gauge('observations_waiting', 'Observations not yet delivered: in memory, and spooled on disk.', ['where']),
    observationsLost: counter('observations_lost_total', 'Observations given up.', ['reason']),
    /** A class as a label. */
    classLabel(name: string): string {
      if (classes.has(name)) return name;
      if (classes.size >= MAX_CLASSES) return OTHER;
      classes.add(name);
      return name;
    },
  };
}
