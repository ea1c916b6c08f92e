/** Where ended requests are written down: an observation for the profiler and the planner, metrics for Prometheus, figures for live views. */
import { NOT_LEARNED_FROM, type Observation } from '../../core/domain/observation.ts';
import { packSketch } from '../../core/profiler/text/pack.ts';
import type { Ended } from '../accepted.ts';
import type { TokenEstimate } from '../body/token-estimate.ts';
import type { Exchange } from '../exchange.ts';
import type { GenAiMetrics } from './gen-ai-metrics.ts';
import type { Metrics } from './metrics.ts';
import { attained, type Violation, violations } from './record.ts';
import type { Stats } from './stats.ts';

export interface LedgerParts {
  gatewayId: string;
  metrics: Metrics;
  stats: Stats;
  estimate: TokenEstimate;
  /** null where nobody asked for them. */
  genAi: GenAiMetrics | null;
  /** Where observations go; they may be lost there, and never wait. null where nobody wants them. */
  observe: ((observation: Observation) => void) | null;
}

export class Ledger {
  readonly #parts: LedgerParts;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  retried(deployment: string, reason: string): void {
    this.#parts.metrics.retries.inc({ deployment, reason });
  }

  /** @param code the code of the error that ended it */
  ended(exchange: Exchange, ended: Ended, code: string | undefined): void {
    const { metrics, estimate, stats, observe } = this.#parts;
    const { accepted, deployment } = exchange;
    const { outcome, measured, usage, replica } = ended;
    const labels = { deployment, class: metrics.classLabel(accepted.class) };
    metrics.requests.inc({ ...labels, outcome });
    metrics.flow.inc({ deployment, outcome: replica ? 'released' : flowOutcome(outcome, code) });
    this.#parts.genAi?.ended(exchange, ended, code);
    // The request itself was at fault: no engine served it, nothing was promised.
    if (outcome === 'rejected') return;
    if (usage?.promptTokens) estimate.learn(accepted.model, accepted.request.prompt, usage.promptTokens);
    const isEmbedding = accepted.request.endpoint === 'embedding';
    // The profiler learns how long one answer is.
    const isLesson = accepted.learnFrom !== 'off' && accepted.request.choices === 1;
    const missed = outcome === 'ok' ? violations(accepted.targets, measured) : [];
    const verdict = attained(outcome, missed);
    if (verdict !== null) {
      const policy = { policy: accepted.policy.name };
      metrics.sloRequests.inc(policy);
      metrics.sloMissed.inc(policy, verdict ? 0 : 1); // 0 as well: both series begin at once, for rates
    }
    this.#measure(labels, ended, missed);
    stats.add(
      { deployment, class: accepted.class, outcome, attained: verdict, outputTokens: measured.outputTokens ?? 0 },
      performance.now(),
    );
    observe?.({
      requestId: accepted.id,
      acceptedAtMs: accepted.acceptedAtMs,
      gatewayId: this.#parts.gatewayId,
      model: accepted.model,
      deployment,
      revision: replica?.revision ?? null,
      replicaId: replica?.id ?? null,
      tenant: accepted.tenant,
      class: accepted.class,
      policy: accepted.policy.name,
      outcome,
      streamed: measured.streamed,
      inputTokens: usage?.promptTokens ?? accepted.inputTokens,
      outputTokens: measured.outputTokens,
      maxTokens: accepted.request.maxTokens,
      predictedOutputP50: isEmbedding ? null : exchange.predictedOutput.p50,
      predictedOutputP90: isEmbedding ? null : exchange.predictedOutput.p90,
      predictedTtftMs: ended.predicted?.ttftMs ?? null,
      snapshotVersion: accepted.snapshotVersion,
      queueMs: replica ? ended.queueMs : measured.e2eMs,
      ttftMs: measured.ttftMs,
      tpotMs: measured.tpotMs,
      e2eMs: outcome === 'ok' ? measured.e2eMs : null,
      attained: verdict,
      features: accepted.text && isLesson && outcome === 'ok' ? Buffer.from(packSketch(accepted.text)).toString('base64') : null,
      featureKey: isLesson ? (accepted.text?.keyId ?? null) : NOT_LEARNED_FROM,
    });
  }

  #measure(
    labels: { deployment: string; class: string },
    { outcome, measured, predicted, queueMs }: Ended,
    missed: readonly Violation[],
  ): void {
    const { metrics } = this.#parts;
    if (predicted) {
      metrics.queue.observe(labels, queueMs / 1000);
      metrics.predictedTtft.observe(labels, predicted.ttftMs / 1000);
      metrics.predictedTpot.observe(labels, predicted.tpotMs / 1000);
    }
    if (measured.ttftMs !== null) metrics.ttft.observe(labels, measured.ttftMs / 1000);
    if (measured.tpotMs !== null) metrics.tpot.observe(labels, measured.tpotMs / 1000);
    if (measured.outputTokens !== null) metrics.outputTokens.inc(labels, measured.outputTokens);
    if (outcome === 'ok') metrics.duration.observe(labels, measured.e2eMs / 1000);
    for (const type of missed) metrics.violations.inc({ ...labels, type });
  }
}

/** Of a request that never left the queue. */
function flowOutcome(outcome: Ended['outcome'], code: string | undefined): string {
  if (outcome === 'cancelled') return 'cancelled';
  return code === undefined ? outcome : code.replaceAll('-', '_');
}
