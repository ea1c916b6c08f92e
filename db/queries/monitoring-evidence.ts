/** What monitoring looks at: what was predicted beside what happened, over a window of time that ends now. */
import { and, eq, gt, gte, isNotNull, isNull, lte, sql } from 'drizzle-orm';
import { NOT_LEARNED_FROM } from '../../core/domain/observation.ts';
import type { StepTimeCoefficients } from '../../core/domain/step-time.ts';
import type { AnswerEvidence } from '../../core/profiler/monitor/evidence.ts';
import type { Executor } from '../client.ts';
import { gatewayLeases, observations, replicas, revisions } from '../schema/index.ts';
import { renewedWithin } from './leases.ts';

export interface Window {
  from: Date;
  to: Date;
}

/**
 * An observation has the time of its acceptance, by which it is stored and found, and how long the request took. What ended in a window began
 * at most so long before it: answers that take longer are not looked at. Asking by acceptance alone would leave out the long ones of the window.
 */
const LONGEST_REQUEST_MS = 180_000;

export function endedIn({ from, to }: Window) {
  const earliest = new Date(from.getTime() - LONGEST_REQUEST_MS);
  return and(
    gte(observations.acceptedAt, earliest),
    lte(observations.acceptedAt, to),
    sql`${observations.acceptedAt} + coalesce(${observations.e2eMs}, 0) * interval '1 millisecond' > ${from.toISOString()}::timestamptz`,
  );
}

const judged = sql<number>`(count(*) filter (where ${observations.attained} is not null))::int`;
const attained = sql<number>`(count(*) filter (where ${observations.attained}))::int`;

/**
 * Of each model and class: lengths predicted and come, and SLOs attained. An answer counts where its own limit did not decide its length: with
 * a `max_tokens` at or below the predicted p90, both the prediction and the answer are what the client asked for. Nor do answers count that nothing
 * is learned from: of tenants with features off, or several choices together.
 */
export async function answerFigures(db: Executor, window: Window): Promise<AnswerEvidence[]> {
  const { outcome, outputTokens, maxTokens, predictedOutputP50: p50, predictedOutputP90: p90, featureKey } = observations;
  const counts = sql`${outcome} = 'ok' and ${outputTokens} > 0 and ${p50} > 0 and ${p90} > 0 and (${maxTokens} is null or ${maxTokens} > ${p90})
    and ${featureKey} is distinct from ${NOT_LEARNED_FROM}`;
  const share = (above: typeof p50 | typeof p90) =>
    sql<number>`coalesce(avg((${outputTokens} > ${above})::int) filter (where ${counts}), 0)::float8`;
  return db
    .select({
      model: observations.model,
      class: observations.class,
      answers: sql<number>`(count(*) filter (where ${counts}))::int`,
      aboveP50: share(p50),
      aboveP90: share(p90),
      medianRatio: sql<number>`coalesce(percentile_cont(0.5) within group (order by ${outputTokens} / nullif(${p50}, 0)) filter (where ${counts}), 1)::float8`,
      judged,
      attained,
    })
    .from(observations)
    .where(endedIn(window))
    .groupBy(observations.model, observations.class)
    .orderBy(observations.model, observations.class);
}

/** Replica id → its requests that have a verdict on their SLO, and how many attained it. */
export async function replicaAttainment(db: Executor, window: Window): Promise<Map<string, { judged: number; attained: number }>> {
  const rows = await db
    .select({ replicaId: observations.replicaId, judged, attained })
    .from(observations)
    .where(and(endedIn(window), isNotNull(observations.replicaId)))
    .groupBy(observations.replicaId);
  return new Map(rows.map(({ replicaId, ...figures }) => [replicaId!, figures]));
}

export interface RoutedFigures {
  replicaId: string;
  deployment: string;
  model: string;
  generation: number;
  /** What its engine was started with, where its revision says; else null. */
  memoryUtilisation: number | null;
  maxSequences: number;
  stepTime: StepTimeCoefficients | null;
}

/** Replicas that are routed, or were until their engine ended, in the order of their ids. */
export async function routedReplicas(db: Executor): Promise<RoutedFigures[]> {
  const rows = await db
    .select({
      replicaId: replicas.id,
      deployment: replicas.deployment,
      model: replicas.model,
      generation: replicas.generation,
      memoryUtilisation: sql<string | null>`${revisions.spec}->'engine'->'args'->>'gpu-memory-utilization'`,
      maxSequences: replicas.maxInFlight,
      stepTime: replicas.stepTime,
    })
    .from(replicas)
    .leftJoin(revisions, and(eq(revisions.deployment, replicas.deployment), eq(revisions.number, replicas.revision)))
    .where(and(isNull(replicas.endedAt), gt(replicas.weight, 0)))
    .orderBy(replicas.id);
  return rows.map((row) => ({ ...row, memoryUtilisation: Number(row.memoryUtilisation) || null }));
}

export type LeaseGauges = Pick<typeof gatewayLeases.$inferSelect, 'gauges' | 'inFlight' | 'renewedAt'>;

/** What live gateways said of their replicas last: the leases renewed within `maxAgeMs`, by the database's clock, the newest first. */
export async function leaseGauges(db: Executor, maxAgeMs: number): Promise<LeaseGauges[]> {
  return db
    .select({ gauges: gatewayLeases.gauges, inFlight: gatewayLeases.inFlight, renewedAt: gatewayLeases.renewedAt })
    .from(gatewayLeases)
    .where(renewedWithin(maxAgeMs))
    .orderBy(sql`${gatewayLeases.renewedAt} desc`);
}
