/**
 * The gateway: the data plane. OpenAI's API in front of all replicas; requests wait here, not in engines' queues, and go out by an SLO-aware
 * scheduler. Nothing on a request's way waits for Postgres: the routing table, the policies and the profiler's snapshot are in memory, and
 * observations leave in batches.
 *
 * A request's way: `listener.ts` → `accept.ts` → `exchange.ts` (one request's life) → `dispatcher.ts` (the queue) → `attempt.ts` and
 * `upstream.ts` (one sending) → `answer.ts` and `reply.ts` (back to the client) → `ledger.ts` (written down). `fleet.ts` knows the replicas,
 * `routing.ts` what to route by, `engines/` how each kind of engine is spoken to. May import core, db and engines; only `bin/` may import
 * from here, and tests.
 */
import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { hostname } from 'node:os';
import { COLD_START_SNAPSHOT } from '../core/profiler/snapshot.ts';
import { schedulerPolicy } from '../core/scheduler/registry.ts';
import { type ControlPlane, connectControlPlane } from './control-plane.ts';
import { Dispatcher } from './dispatcher.ts';
import { draining as drainingError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { watchFeatureKey } from './feature-key.ts';
import { Fleet } from './fleet.ts';
import { watchHealth } from './health.ts';
import { Ledger } from './ledger.ts';
import { createListener, listenOn } from './listener.ts';
import { createMetrics } from './metrics.ts';
import { type GatewayOptions, settle } from './options.ts';
import { Routes, type RoutingSource } from './routing.ts';
import { Stats } from './stats.ts';
import { TokenEstimate } from './token-estimate.ts';
import { gatewayStats, listModels, setGauges } from './views.ts';

export interface Gateway {
  url: string;
  gatewayId: string;
  /** Refuses new requests, lets open ones end for a while, delivers what was observed, gives the lease back. */
  close(): Promise<void>;
}

const SWEEP_EVERY_MS = 100;

/**
 * Serves once it resolves; it is ready when the first routing table has come.
 * @throws invalid-input for a binding that needs a key or an unknown policy; the system's error (EADDRINUSE) where the port cannot be had
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const settings = settle(options);
  const { logger, source, keys } = settings;
  const policy = schedulerPolicy(settings.policy);
  const gatewayId = settings.gatewayId ?? `gw-${hostname().slice(0, 40)}-${process.pid}-${randomBytes(3).toString('hex')}`;
  const start = randomBytes(5).toString('hex');
  let sequence = 0;
  const startedMs = performance.now();
  const startedAtMs = Date.now();

  const metrics = createMetrics();
  const stats = new Stats();
  const estimate = new TokenEstimate();
  const open = new Set<Exchange>();
  /** Deployments whose policy has thrown. */
  const policyFailures = new Set<string>();
  let routes: Routes | null = null;
  let draining = false;
  let controlPlane: ControlPlane | null = null;

  const fleet = new Fleet(
    { connectTimeoutMs: settings.connectTimeoutMs, idleTimeoutMs: settings.upstreamIdleMs },
    {
      onRoom: (deployment) => dispatcher.wake(deployment),
      onDrained: () => controlPlane?.tellLease(),
      onHealth: (replica, reason) => {
        logger.warn({ replica: replica.id, healthy: replica.healthy, reason }, 'health of a replica changed');
        controlPlane?.tellLease();
      },
      onUnusable: (row) =>
        logger.error({ replica: row.replicaId, endpoint: row.endpoint }, 'a replica has no usable endpoint and is left out'),
    },
  );
  const dispatcher = new Dispatcher(fleet, {
    policy,
    maxQueued: Math.max(1, settings.maxQueued),
    onScheduled: (ms) => metrics.scheduler.observe(ms / 1000),
    onPolicyFailed: (deployment, error) => {
      // Whatever made it throw may do so with every request: it is counted each time, and told once.
      if (!policyFailures.has(deployment))
        logger.error(
          { err: error, deployment, policy: policy.name },
          'the scheduling policy failed; its requests go by least-in-flight until none waits',
        );
      policyFailures.add(deployment);
      metrics.policyFailures.inc({ deployment });
    },
  });
  const ledger = new Ledger({ gatewayId, metrics, stats, estimate, observe: (observation) => controlPlane?.observe(observation) });

  const featureKey = watchFeatureKey(settings.featureKeyFile ?? null, logger);
  const server = createListener(
    {
      nextId: () => `req-${start}-${(sequence++).toString(36)}`,
      fleet,
      dispatcher,
      ledger,
      estimate,
      open,
      logger,
      clientStallMs: settings.clientStallMs,
      explainHeaders: settings.explainHeaders,
      maxBodyBytes: settings.maxBodyBytes,
      routes: () => routes,
      snapshot: () => controlPlane?.snapshot() ?? COLD_START_SNAPSHOT,
      sketcher: featureKey.sketcher,
      draining: () => draining,
    },
    {
      keys,
      ready: () => routes !== null && !draining,
      models: () => listModels(routes, fleet, startedAtMs),
      stats: () =>
        gatewayStats({ gatewayId, draining, startedMs, open: open.size, routes }, { fleet, dispatcher, stats }, performance.now()),
      metrics: async () => {
        setGauges(metrics, routes, fleet, dispatcher);
        return { type: metrics.registry.contentType, text: await metrics.registry.metrics() };
      },
    },
  );
  const url = await listenOn(server, settings.address, settings.port);

  const sweeper = setInterval(() => dispatcher.sweep(performance.now()), SWEEP_EVERY_MS);
  sweeper.unref();
  const stopHealth = watchHealth(fleet, { intervalMs: settings.scrapeIntervalMs, timeoutMs: settings.scrapeTimeoutMs });

  const applyRouting: Parameters<RoutingSource['start']>[0] = (view) => {
    fleet.apply(view.table, performance.now());
    routes = new Routes(view);
    controlPlane?.tellLease();
  };
  if (source.kind === 'postgres') {
    controlPlane = await connectControlPlane({
      ...source,
      gatewayId,
      address: settings.publicUrl ?? url,
      logger,
      metrics,
      applyRouting,
      leaseState: () => ({
        routingVersion: routes?.version ?? 0,
        ...fleet.counts(),
        leftover: fleet.leftover(),
        unhealthy: fleet.unhealthy(),
        gauges: fleet.gauges(performance.now()),
      }),
    });
  } else {
    source.routing.start(applyRouting);
  }
  logger.info({ url, gatewayId, policy: policy.name }, 'gateway serves');

  let closing: Promise<void> | null = null;
  const close = async () => {
    draining = true;
    await settled(open, settings.closeGraceMs);
    for (const exchange of open) exchange.terminate(drainingError());
    if (source.kind === 'alone') await source.routing.close();
    stopHealth();
    clearInterval(sweeper);
    featureKey.close();
    await endServer(server);
    await controlPlane?.close();
    await fleet.close();
  };
  return { url, gatewayId, close: () => (closing ??= close()) };
}

/** Waits until nothing is open, for at most `graceMs`. */
async function settled(open: ReadonlySet<unknown>, graceMs: number): Promise<void> {
  const untilMs = performance.now() + graceMs;
  while (open.size > 0 && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Takes no more connections; those that are idle end at once, the rest with their answers, which are on their way by now. */
async function endServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const force = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(force);
}
