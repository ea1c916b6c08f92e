/**
 * The gateway: the data plane. OpenAI's API in front of all replicas; requests wait here, not in engines' queues, and go out by an SLO-aware
 * scheduler. Nothing on a request's way waits for Postgres: the routing table, the policies and the profiler's snapshot are in memory, and
 * observations leave in batches.
 *
 * A request's way: `listener.ts` → `accept.ts` → `exchange.ts` (one request's life) → `dispatcher.ts` (the queue) → `upstream/` (one sending)
 * → `answers/` (back to the client) → `accounts/` (written down). `fleet.ts` knows the replicas.
 *
 * - `access/`: who asks, for which tenant, and what that one may
 * - `body/`: a request's body, walked over once and forwarded as the same bytes
 * - `engines/`: how each kind of engine is spoken to
 * - `upstream/`: connections to engines, what they say of themselves, whether they answer
 * - `answers/`: an engine's answer on its way to the client
 * - `accounts/`: observations, metrics, live figures
 * - `routes/`: what to route by, from Postgres or a file
 * - `several/`: what gateways tell each other
 * - `tracing/`: OpenTelemetry; `clients/` and `hostile/`: tests of the whole, as clients and engines meet it
 *
 * May import core, db and engines; only `bin/` may import from here, and tests.
 */
import { randomBytes } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { Server } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { COLD_START_SNAPSHOT } from '../core/profiler/snapshot.ts';
import { PassingMap } from '../core/scheduler/passing-map.ts';
import { schedulerPolicy } from '../core/scheduler/registry.ts';
import { watchFeatureKey } from './access/feature-key.ts';
import { TenantBudgets } from './access/tenant-budgets.ts';
import { GenAiMetrics } from './accounts/gen-ai-metrics.ts';
import { Ledger } from './accounts/ledger.ts';
import { createMetrics } from './accounts/metrics.ts';
import { Stats } from './accounts/stats.ts';
import { setTenantGauges, tenantMetrics } from './accounts/tenant-metrics.ts';
import { gatewayStats, listModels, setGauges } from './accounts/views.ts';
import { KeepAlive } from './answers/keep-alive.ts';
import { HeldBytes } from './body/held-bytes.ts';
import { TokenEstimate } from './body/token-estimate.ts';
import { Dispatcher } from './dispatcher.ts';
import { draining as drainingError, tookTooLong } from './errors.ts';
import type { ExchangeParts } from './exchange.ts';
import { Fleet } from './fleet.ts';
import { createListener, listenOn, urlOf } from './listener.ts';
import { type GatewayOptions, requireKeys, settle } from './options.ts';
import type { ControlPlane } from './routes/control-plane.ts';
import { Routes, type RoutingSource } from './routes/routing.ts';
import { Sharing } from './several/sharing.ts';
import { type GatewayPart, mergedMetrics, mergedStats } from './several/siblings.ts';
import { startTracing } from './tracing/tracing.ts';
import { watchHealth } from './upstream/health.ts';

export interface Gateway {
  url: string;
  gatewayId: string;
  /**
   * Is not ready any more, but takes requests for a time; then takes no more connections, lets open requests end for a time, delivers what was
   * observed, gives the lease back.
   * @param hurry cuts both times short
   */
  close(hurry?: AbortSignal): Promise<void>;
}

const SWEEP_EVERY_MS = 100;
/** One of several on a port listens by then even where it has no routing table: its health must be seen. */
const LISTEN_WITHIN_MS = 10_000;

function endOverlong(open: ExchangeParts['open'], nowMs: number, mostMs: number): void {
  // Its end takes it out, and the next is the oldest.
  for (let [oldest] = open.values(); oldest && nowMs - oldest.arrivalMs >= mostMs; [oldest] = open.values()) {
    oldest.terminate(tookTooLong(mostMs));
  }
}

/**
 * Serves once it resolves; it is ready when the first routing table has come.
 * @throws invalid-input for a binding that needs a key or an unknown policy; the system's error (EADDRINUSE) where the port cannot be had
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const settings = settle(options);
  await requireKeys(options);
  const { logger, source, keyring } = settings;
  const policy = schedulerPolicy(settings.policy);
  const gatewayId = settings.gatewayId ?? `gw-${hostname().slice(0, 40)}-${process.pid}-${randomBytes(3).toString('hex')}`;
  const start = randomBytes(5).toString('hex');
  let sequence = 0;
  const startedMs = performance.now();
  const startedAtMs = Date.now();

  const metrics = createMetrics();
  const stats = new Stats();
  const budgets = new TenantBudgets(gatewayId, tenantMetrics(metrics));
  const estimate = new TokenEstimate();
  const open: ExchangeParts['open'] = new PassingMap();
  const heldBytes = new HeldBytes(settings.maxHeldBytes);
  const keepAlive = settings.keepAliveMs > 0 ? new KeepAlive(settings.keepAliveMs) : null;
  /** Deployments whose policy has thrown. */
  const policyFailures = new Set<string>();
  let routes: Routes | null = null;
  /** Not ready any more; and taking no more requests. */
  let leaving = false;
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
    onScheduled: (ms) => metrics.scheduler.observe({}, ms / 1000),
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
  const sharing = new Sharing(gatewayId, fleet, dispatcher, settings.gateways);
  const onLost = (reason: string) => logger.warn({ reason }, 'spans cannot be delivered; they are dropped, and this is told once');
  const tracing = settings.tracing ? await startTracing({ ...settings.tracing, onLost }, gatewayId) : null;
  const ledger = new Ledger({
    gatewayId,
    metrics,
    stats,
    estimate,
    genAi: settings.tracing ? new GenAiMetrics(metrics.registry) : null,
    observe: source.kind === 'postgres' ? (observation) => controlPlane?.observe(observation) : null,
  });

  const featureKey = watchFeatureKey(settings.featureKeyFile ?? null, logger);
  const ownStats = () =>
    gatewayStats({ gatewayId, draining: leaving, startedMs, open: open.size, routes }, { fleet, dispatcher, stats }, performance.now());
  const ownMetrics = () => {
    setGauges(metrics, routes, fleet, dispatcher, heldBytes.held);
    setTenantGauges(metrics, budgets);
    return metrics.registry;
  };
  const { siblings } = settings;
  siblings?.answerWith(async (): Promise<GatewayPart> => ({ stats: ownStats(), metrics: await ownMetrics().getMetricsAsJSON() }));
  const server = createListener(
    {
      nextId: () => `req-${start}-${(sequence++).toString(36)}`,
      fleet,
      dispatcher,
      ledger,
      estimate,
      open,
      heldBytes,
      keepAlive,
      tracing,
      logger,
      clientStallMs: settings.clientStallMs,
      explainHeaders: settings.explainHeaders,
      maxBodyBytes: settings.maxBodyBytes,
      onRefused: (code) => metrics.refused.inc({ code }),
      routes: () => routes,
      snapshot: () => controlPlane?.snapshot() ?? COLD_START_SNAPSHOT,
      sketcher: featureKey.sketcher,
      draining: () => draining,
      budgets,
    },
    {
      keyring,
      headersWithinMs: settings.headersWithinMs,
      requestWithinMs: settings.requestWithinMs,
      ready: () => routes !== null && !leaving,
      leaving: () => leaving,
      models: () => listModels(routes, fleet, startedAtMs),
      stats: async () => (siblings ? mergedStats(await siblings.ask()) : ownStats()),
      metrics: async () => {
        const text = await (siblings ? siblings.ask().then(mergedMetrics) : ownMetrics().metrics());
        return { type: metrics.registry.contentType, text };
      },
    },
    settings.createServer,
  );
  const listen = () => listenOn(server, settings.address, settings.port);
  const url = siblings ? urlOf(server, settings.address, settings.port) : await listen();
  let hasTable = () => {};
  const firstTable = new Promise<void>((resolve) => {
    hasTable = resolve;
  });

  const sweeper = setInterval(() => {
    const nowMs = performance.now();
    dispatcher.sweep(nowMs);
    keepAlive?.beat(nowMs);
    endOverlong(open, nowMs, settings.maxRequestMs);
  }, SWEEP_EVERY_MS);
  sweeper.unref();
  const stopHealth = watchHealth(fleet, { intervalMs: settings.scrapeIntervalMs, timeoutMs: settings.scrapeTimeoutMs });

  const applyRouting: Parameters<RoutingSource['start']>[0] = (view) => {
    keyring.replace(view.keys ?? []);
    dispatcher.shadow(new Set(view.table.replicas.flatMap(({ deployment, shadowed }) => (shadowed ? deployment : []))));
    fleet.apply(view.table, performance.now());
    budgets.declare(view.table.tenants ?? [], performance.now(), Date.now());
    routes = new Routes(view);
    hasTable();
    controlPlane?.tellLease();
  };
  let endKeyUse: () => Promise<void> = async () => undefined;
  if (source.kind === 'postgres') {
    // A gateway that runs alone needs no driver of a database, and does not load one.
    const [{ reportKeyUse }, { connectControlPlane }] = await Promise.all([
      import('./access/key-use.ts'),
      import('./routes/control-plane.ts'),
    ]);
    endKeyUse = reportKeyUse(keyring, source.database.db);
    controlPlane = await connectControlPlane({
      ...source,
      gatewayId,
      address: settings.publicUrl ?? url,
      schedulerPolicy: policy.name,
      logger,
      metrics,
      applyRouting,
      leaseState: () => ({
        routingVersion: routes?.version ?? 0,
        inFlight: fleet.inFlight(),
        leftover: fleet.leftover(),
        unhealthy: fleet.unhealthy(),
        gauges: fleet.gauges(performance.now()),
        demand: sharing.demand(),
      }),
      onDemands: (demands) => sharing.heard(demands),
      budgets,
    });
  } else {
    source.routing.start(applyRouting);
  }
  let closing: Promise<void> | null = null;
  const close = async (hurry?: AbortSignal) => {
    leaving = true;
    for (const exchange of open.values()) exchange.endConnection();
    if (settings.drainMs > 0) await delay(settings.drainMs, undefined, { signal: hurry }).catch(() => undefined);
    draining = true;
    const closed = closeListener(server);
    await settled(open, settings.closeGraceMs, hurry);
    for (const exchange of [...open.values()]) exchange.terminate(drainingError());
    if (source.kind === 'alone') await source.routing.close();
    stopHealth();
    clearInterval(sweeper);
    featureKey.close();
    await endConnections(server, closed, settings.lingerMs, hurry);
    await endKeyUse();
    await controlPlane?.close();
    fleet.close();
    await tracing?.close();
  };
  const gateway: Gateway = { url, gatewayId, close: (hurry) => (closing ??= close(hurry)) };
  if (siblings) {
    // Whoever listens on the shared port is given requests: the others have them until this one knows where to send them.
    await Promise.race([firstTable, delay(LISTEN_WITHIN_MS)]);
    gateway.url = await listen().catch(async (error) => {
      await gateway.close();
      throw error;
    });
  }
  logger.info({ url: gateway.url, gatewayId, policy: policy.name }, 'gateway serves');
  return gateway;
}

/** Waits until nothing is open, for at most `graceMs`. */
async function settled(open: { size: number }, graceMs: number, hurry?: AbortSignal): Promise<void> {
  const untilMs = performance.now() + graceMs;
  while (open.size > 0 && performance.now() < untilMs && !hurry?.aborted) await delay(20);
}

/** Takes no more connections. @returns when those there are have ended, which the server's own `close` would do to idle ones at once */
function closeListener(server: HttpServer): Promise<void> {
  return new Promise((resolve) => Server.prototype.close.call(server, () => resolve()));
}

/** Those that are idle end after a time, in which a request on them is told to go elsewhere; the rest with their answers, which are on their way. */
async function endConnections(server: HttpServer, closed: Promise<void>, lingerMs: number, hurry?: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const linger = delay(lingerMs, undefined, { signal: hurry ? AbortSignal.any([hurry, ended.signal]) : ended.signal });
  await Promise.race([closed, linger.catch(() => undefined)]);
  ended.abort();
  server.close(() => undefined);
  const force = setTimeout(() => server.closeAllConnections(), 1000);
  await closed;
  clearTimeout(force);
}
