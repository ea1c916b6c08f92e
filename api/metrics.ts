/**
 * What Prometheus reads of the control plane: the state that lies in Postgres, as any API process sees it, and whether Postgres and Temporal
 * answer. Several API processes say the same: aggregate with `max`. Open to whoever reaches the port, as with every metric of uellm.
 */
import { Hono } from 'hono';
import type { Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { planPurposeSchema, planStateSchema } from '../core/domain/plan.ts';
import { isTerminalPhase, rolloutPhaseSchema } from '../core/domain/rollout.ts';
import { FALLBACK_POLICY } from '../core/domain/slo-policy.ts';
import type { DatabaseConnection } from '../db/client.ts';
import { queryTrouble } from '../db/outage.ts';
import { type Operations, readOperations } from '../db/queries/operations.ts';
import type { WorkflowActions } from './actions.ts';

/** However many ask, Postgres is asked so often at most. */
const CACHE_MS = 5000;
const ANSWER_WITHIN_MS = 3000;

/** Counters begin at 0, so that the first failure is an increase. */
const ENDS = rolloutPhaseSchema.options.filter(isTerminalPhase);

export interface MetricsParts {
  database: DatabaseConnection;
  actions: Pick<WorkflowActions, 'ping'>;
  logger: Logger;
}

export function metricsRoutes(parts: MetricsParts) {
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  let looked: Promise<Registry> | null = null;
  let lookedAtMs = 0;
  return new Hono().get('/metrics', async (c) => {
    if (!looked || performance.now() - lookedAtMs > CACHE_MS) {
      lookedAtMs = performance.now();
      looked = look(parts);
    }
    const text = `${await own.metrics()}\n${await (await looked).metrics()}`;
    return c.body(text, 200, { 'content-type': own.contentType });
  });
}

async function look({ database, actions, logger }: MetricsParts): Promise<Registry> {
  const [operations, temporal] = await Promise.allSettled([within(readOperations(database.db)), within(actions.ping())]);
  // Of a state that cannot be read nothing is said, rather than what it was.
  const registry = operations.status === 'fulfilled' ? stateMetrics(operations.value) : new Registry();
  if (operations.status === 'rejected')
    logger.warn({ reason: queryTrouble(operations.reason) }, 'the state could not be read for /metrics');
  const up = (what: string, name: string, answer: PromiseSettledResult<unknown>) =>
    new Gauge({ name: `uellm_${name}_up`, help: `1 while ${what} answers this process.`, registers: [registry] }).set(
      answer.status === 'fulfilled' ? 1 : 0,
    );
  up('Postgres', 'postgres', operations);
  up('Temporal', 'temporal', temporal);
  return registry;
}

function within<T>(answer: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`)), ANSWER_WITHIN_MS).unref();
  });
  return Promise.race([answer, late]);
}

/** Made anew for each look: what is gone leaves no series behind. */
export function stateMetrics(now: Operations): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `uellm_${name}`, help, labelNames: [...labelNames], registers });
  /** Counted in Postgres, where nothing of it is ever deleted. */
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name: `uellm_${name}`, help, labelNames: [...labelNames], registers });

  const hosts = gauge('host_state', 'Always 1: what a host is.', ['host', 'liveness', 'service']);
  const drains = gauge('drain_stopped', 'Always 1: the drain of this host ended blocked or failed; it stays cordoned.', ['host', 'phase']);
  for (const { name, liveness, service, reason } of now.hosts) {
    hosts.set({ host: name, liveness, service }, 1);
    const [, phase] = /^(blocked|failed): /.exec(reason) ?? [];
    if (service === 'cordoned' && phase) drains.set({ host: name, phase }, 1);
  }
  gauge('hosts_silent_together', 'Hosts that are silent at once, where they are so many that nothing is moved; else 0.').set(
    now.silentTogether?.silent.length ?? 0,
  );

  const replicas = gauge('replicas', 'Replicas that have not ended.', ['deployment', 'state']);
  for (const { deployment, state, count } of now.replicas) replicas.inc({ deployment, state }, count);
  const least = gauge('deployment_replicas_min', 'replicas.min of a deployment that serves.', ['deployment']);
  for (const { deployment, min } of now.serving) {
    least.set({ deployment }, min);
    replicas.inc({ deployment, state: 'ready' }, 0); // where there is none, that is told
  }

  const active = gauge('rollouts_active', 'Rollouts that have not ended.', ['deployment', 'phase']);
  const ended = counter('rollouts_ended_total', 'Rollouts that ended.', ['deployment', 'phase']);
  for (const { deployment, phase, isOver, count } of now.rollouts) {
    for (const end of ENDS) ended.inc({ deployment, phase: end }, 0);
    (isOver ? ended : active).inc({ deployment, phase }, count);
  }

  const plans = counter('plans_total', 'Plans made.', ['purpose', 'state']);
  for (const purpose of planPurposeSchema.options) for (const state of planStateSchema.options) plans.inc({ purpose, state }, 0);
  for (const { purpose, state, count } of now.plans) plans.inc({ purpose, state }, count);

  const corrections = gauge('corrections_in_force', 'Corrections of monitoring that are watched (active) or stay (kept).', [
    'kind',
    'state',
  ]);
  for (const { kind, state, count } of now.corrections) corrections.set({ kind, state }, count);

  const targets = gauge('slo_target_ratio', 'Share of requests that are to meet the targets of the policy.', ['policy']);
  targets.set({ policy: FALLBACK_POLICY.name }, FALLBACK_POLICY.targets.attainment);
  for (const { policy, target } of now.policies) targets.set({ policy }, target);

  if (now.learning) {
    const { publishedAt, unlearned } = now.learning;
    gauge('profiler_snapshot_timestamp_seconds', 'When the snapshot in force was published.').set(publishedAt.getTime() / 1000);
    gauge('profiler_observations_unlearned', 'Observations of the last day that the snapshot in force knows nothing of.').set(unlearned);
  }

  const gateways = gauge('gateways', 'Gateways that hold a lease: all that live, and those of them that route by an older table.', [
    'state',
  ]);
  gateways.set({ state: 'live' }, now.gateways.live);
  gateways.set({ state: 'behind' }, now.gateways.behind);
  return registry;
}
