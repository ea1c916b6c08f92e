/** What a diagnosis looks at beside gateways' gauges: replicas that serve, and what each of them answered. */
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import { inWords } from '../../core/domain/refusal.ts';
import { allowedPart } from '../../core/domain/routing.ts';
import type { ServingReplica } from '../../core/placement/diagnosis/types.ts';
import type { Executor } from '../client.ts';
import { observations, replicas } from '../schema/index.ts';
import { endedIn, type Window } from './monitoring-evidence.ts';
import { changedSince, newestPlanOf } from './plans.ts';

/** Those that are ready, in the order of their ids. `sinceMs` is Unix time. */
export async function readyReplicas(db: Executor): Promise<(ServingReplica & { sinceMs: number })[]> {
  const rows = await db
    .select({
      replicaId: replicas.id,
      deployment: replicas.deployment,
      model: replicas.model,
      host: replicas.host,
      acceleratorKind: replicas.acceleratorKind,
      tensorParallel: replicas.tensorParallel,
      simulated: replicas.simulated,
      stepTime: replicas.stepTime,
      kvCacheTokens: replicas.kvCacheTokens,
      maxInFlight: replicas.maxInFlight,
      maxInFlightShare: replicas.maxInFlightShare,
      sinceMs: sql<number>`(extract(epoch from ${replicas.createdAt}) * 1000)::float8`,
    })
    .from(replicas)
    .where(and(eq(replicas.state, 'ready'), isNull(replicas.endedAt)))
    .orderBy(replicas.id);
  return rows.map(({ maxInFlight, maxInFlightShare, ...row }) => ({ ...row, admissionLimit: allowedPart(maxInFlight, maxInFlightShare) }));
}

export interface MissingReplicas {
  /** A deployment; `cluster` where nothing may move at all. */
  subject: string;
  /** What its replacement waits for. */
  reason: string;
  since: Date;
}

/** What was lost or has failed for good and could not be made good yet, as replacement found it last. */
export async function missingReplicas(db: Executor): Promise<MissingReplicas[]> {
  const plan = await newestPlanOf(db, 'replace', 'cluster');
  if (!plan || plan.report.waiting.length === 0) return [];
  const changed = await changedSince(db, plan);
  const waiting = plan.report.waiting.filter(({ subject }) => !changed.has(subject));
  return waiting.map((refusal) => ({ subject: refusal.subject, reason: inWords(refusal), since: plan.createdAt }));
}

export interface ServedFigures {
  /** That ended in the window, of whatever outcome. */
  requests: number;
  /** Sums over them: tokens, ms in the engine, and ms from the first token to the last. */
  inputTokens: number;
  outputTokens: number;
  engineMs: number;
  decodingMs: number;
  judged: number;
  attained: number;
}

/** Replica id → what it answered. */
export async function servedFigures(db: Executor, window: Window): Promise<Map<string, ServedFigures>> {
  const { replicaId, inputTokens, outputTokens, e2eMs, queueMs, ttftMs, attained } = observations;
  const rows = await db
    .select({
      replicaId,
      requests: sql<number>`count(*)::int`,
      inputTokens: sql<number>`coalesce(sum(${inputTokens}), 0)::float8`,
      outputTokens: sql<number>`coalesce(sum(${outputTokens}), 0)::float8`,
      engineMs: sql<number>`coalesce(sum(greatest(0, ${e2eMs} - coalesce(${queueMs}, 0))), 0)::float8`,
      decodingMs: sql<number>`coalesce(sum(greatest(0, ${e2eMs} - coalesce(${ttftMs}, ${queueMs}, 0))), 0)::float8`,
      judged: sql<number>`count(${attained})::int`,
      attained: sql<number>`(count(*) filter (where ${attained}))::int`,
    })
    .from(observations)
    .where(and(endedIn(window), isNotNull(replicaId)))
    .groupBy(replicaId);
  return new Map(rows.map(({ replicaId, ...figures }) => [replicaId!, figures]));
}
