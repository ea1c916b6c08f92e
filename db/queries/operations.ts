/** The installation in figures, for `/metrics` of the API: counts by state, and what an operator is to be told of. */
import { count, desc, gte, inArray, isNotNull, isNull, max, sql } from 'drizzle-orm';
import { massSilence } from '../../core/domain/mass-silence.ts';
import type { RolloutPhase } from '../../core/domain/rollout.ts';
import type { Executor } from '../client.ts';
import {
  corrections,
  deployments,
  hosts,
  observations,
  plans,
  profilerSnapshots,
  replicas,
  rollouts,
  sloPolicies,
} from '../schema/index.ts';
import { LEASE_LIFETIME_MS, liveLeases } from './leases.ts';
import { currentRoutingVersion } from './routing.ts';

/** So old observations are not looked at for the newest id: a scan of all partitions would be the price. */
const RECENT = sql`now() - interval '1 day'`;

export type Operations = Awaited<ReturnType<typeof readOperations>>;

/** Reads whole tables that are small, and counts of those that grow by what operators do. */
export async function readOperations(db: Executor) {
  const [hostRows, replicaCounts, serving, phases, planCounts, correctionCounts, policies, learning, leases, routingVersion] =
    await Promise.all([
      db
        .select({
          name: hosts.name,
          liveness: hosts.liveness,
          service: hosts.service,
          external: hosts.external,
          reason: hosts.reason,
        })
        .from(hosts)
        .orderBy(hosts.name),
      db
        .select({ deployment: replicas.deployment, host: replicas.host, state: replicas.state, count: count() })
        .from(replicas)
        .where(isNull(replicas.endedAt))
        .groupBy(replicas.deployment, replicas.host, replicas.state),
      db
        .select({ deployment: deployments.name, min: sql<number>`(${deployments.spec}->'replicas'->>'min')::int` })
        .from(deployments)
        .where(isNotNull(deployments.currentRevision)),
      db
        .select({
          deployment: rollouts.deployment,
          phase: sql<RolloutPhase>`${rollouts.status}->>'phase'`,
          isOver: sql<boolean>`${rollouts.endedAt} is not null`,
          count: count(),
        })
        .from(rollouts)
        .groupBy(sql`1, 2, 3`),
      db.select({ purpose: plans.purpose, state: plans.state, count: count() }).from(plans).groupBy(plans.purpose, plans.state),
      db
        .select({ kind: corrections.kind, state: corrections.state, count: count() })
        .from(corrections)
        .where(inArray(corrections.state, ['active', 'kept']))
        .groupBy(corrections.kind, corrections.state),
      db
        .select({ policy: sloPolicies.name, target: sql<number>`(${sloPolicies.spec}->'targets'->>'attainment')::float8` })
        .from(sloPolicies),
      readLearning(db),
      liveLeases(db, LEASE_LIFETIME_MS),
      currentRoutingVersion(db),
    ]);
  return {
    hosts: hostRows,
    silentTogether: massSilence(hostRows, new Set(replicaCounts.map((r) => r.host))),
    replicas: replicaCounts,
    /** Deployments that serve, and the fewest replicas that each is to have. */
    serving,
    rollouts: phases,
    plans: planCounts,
    corrections: correctionCounts,
    policies,
    learning,
    gateways: { live: leases.length, behind: leases.filter((l) => l.routingVersion < routingVersion).length },
  };
}

/** null before the first snapshot. */
async function readLearning(db: Executor): Promise<{ publishedAt: Date; unlearned: number } | null> {
  const [snapshot] = await db
    .select({ publishedAt: profilerSnapshots.createdAt, through: profilerSnapshots.trainedThroughId })
    .from(profilerSnapshots)
    .orderBy(desc(profilerSnapshots.version))
    .limit(1);
  if (!snapshot) return null;
  const [newest] = await db
    .select({ id: max(observations.id) })
    .from(observations)
    .where(gte(observations.acceptedAt, RECENT));
  return { publishedAt: snapshot.publishedAt, unlearned: Math.max(0, (newest?.id ?? 0) - snapshot.through) };
}
