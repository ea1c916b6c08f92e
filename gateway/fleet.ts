/**
 * The replicas that this gateway knows, and what it has open on each. A new table is applied in one synchronous step: from then on nothing
 * is sent to a replica that it does not have, which is what the lease then acknowledges. Streams that run there go on to their end.
 */
import type { EngineKind } from '../core/domain/deployment.ts';
import type { Leftover } from '../core/domain/drain.ts';
import type { RoutedReplica, RoutingTable } from '../core/domain/routing.ts';
import type { ReplicaGauges } from '../core/profiler/monitor/evidence.ts';
import { typicalDecodeMsPerToken } from '../core/scheduler/deadlines.ts';
import type { Share } from '../core/scheduler/shares.ts';
import type { QueuedRequest } from '../core/scheduler/types.ts';
import { LiveReplica, type OwnRequests, Reservation } from './replica.ts';
import { replicaGauges } from './upstream/gauges.ts';
import type { EngineGauges } from './upstream/scrape.ts';
import { Upstream, type UpstreamOptions } from './upstream/upstream.ts';

export interface FleetEvents {
  /** Something may be released: a request ended or has its first token, a replica came or came back, or its engine's gauges are new. */
  onRoom(deployment: string): void;
  /** The last request ended on a replica that is no longer routed. */
  onDrained(): void;
  onHealth(replica: LiveReplica, reason: string): void;
  /** A row whose endpoint is no URL: it is left out, the rest of the table holds. */
  onUnusable(row: RoutedReplica): void;
}

/** How long the counts of a replica that is gone are still told: longer than any drain looks at them. */
const REMEMBER_MS = 3 * 3_600_000;

export class Fleet {
  readonly #replicas = new Map<string, LiveReplica>();
  readonly #eligible = new Map<string, readonly LiveReplica[]>();
  readonly #decodeMsPerToken = new Map<string, number>();
  /** deployment → the kind of engine of all its routed replicas; null where they are of several. */
  readonly #engines = new Map<string, EngineKind | null>();
  /** That share the replicas, this one among them. */
  #gateways = 1;
  readonly #options: UpstreamOptions;
  readonly #events: FleetEvents;

  constructor(options: UpstreamOptions, events: FleetEvents) {
    this.#options = options;
    this.#events = events;
  }

  apply(table: RoutingTable, nowMs: number): void {
    const usable = table.replicas.filter((row) => URL.canParse(row.endpoint));
    const present = new Set(usable.map((row) => row.replicaId));
    for (const replica of this.#replicas.values()) {
      if (!present.has(replica.id)) this.#unroute(replica, nowMs);
    }
    for (const row of usable) this.#route(row);
    for (const row of table.replicas) if (!present.has(row.replicaId)) this.#events.onUnusable(row);
    this.#reindex();
    for (const deployment of [...this.#eligible.keys()]) this.#events.onRoom(deployment);
  }

  /** Replicas of a deployment that requests may be sent to now. */
  eligible(deployment: string): readonly LiveReplica[] {
    return this.#eligible.get(deployment) ?? [];
  }

  /** The kind of engine that all replicas of a deployment are of; null where they are of several, or there is none. */
  soleEngine(deployment: string): EngineKind | null {
    return this.#engines.get(deployment) ?? null;
  }

  /** Opens a request on a replica. @throws when the replica may not be sent to: the table has changed since it was chosen */
  open(replica: LiveReplica, request: QueuedRequest): Reservation {
    if (!replica.eligible) throw new Error(`replica ${replica.id} is not routed`);
    return new Reservation(replica, request, (r) => {
      if (r.eligible) this.#events.onRoom(r.deployment);
      else if (!r.routed && r.inFlight === 0) this.#events.onDrained();
    });
  }

  /** So many gateways share the replicas, and this is the present one's share of each; null while they do not hear of each other. */
  shareOut(gateways: number, shareOf: ((replica: LiveReplica) => Share) | null): void {
    this.#gateways = gateways;
    for (const replica of this.#replicas.values()) replica.shareOut(gateways, shareOf?.(replica) ?? null);
    for (const deployment of this.#eligible.keys()) this.#events.onRoom(deployment);
  }

  /** What its engine says of itself, `own` among it. What an earlier engine of the replica said says nothing of the present one. */
  readGauges(replica: LiveReplica, upstream: Upstream, gauges: EngineGauges | null, own: OwnRequests): void {
    if (replica.upstream !== upstream) return;
    replica.hearGauges(gauges, performance.now(), own);
    if (replica.eligible) this.#events.onRoom(replica.deployment);
  }

  /** It has answered at this upstream. */
  markHealthy(replica: LiveReplica, upstream: Upstream): void {
    if (replica.upstream !== upstream) return;
    replica.failures = 0;
    if (replica.healthy) return;
    replica.ailment = null;
    this.#reindex();
    this.#events.onHealth(replica, 'answers again');
    this.#events.onRoom(replica.deployment);
  }

  /** Sends nothing there until it answers again. What an earlier engine of the replica did says nothing of the present one. */
  eject(replica: LiveReplica, upstream: Upstream, reason: string): void {
    if (!replica.healthy || replica.upstream !== upstream) return;
    replica.ailment = reason;
    this.#reindex();
    this.#events.onHealth(replica, reason);
  }

  /** Replicas in the table, in its order. */
  routed(): LiveReplica[] {
    return [...this.#replicas.values()].filter((r) => r.routed);
  }

  /** For the lease: requests open on every replica that is remembered. */
  inFlight(): Record<string, number> {
    return Object.fromEntries([...this.#replicas.values()].map((replica) => [replica.id, replica.inFlight]));
  }

  /** For the lease: replica that has left the table → how the requests ended that were open on it then. */
  leftover(): Record<string, Leftover> {
    return Object.fromEntries([...this.#replicas.values()].flatMap((r) => (r.routed ? [] : [[r.id, { ...r.leftover }]])));
  }

  /** For the lease: routed replica → why nothing is sent to it until it answers again. */
  unhealthy(): Record<string, string> {
    const ailments: Record<string, string> = {};
    for (const { id, routed, ailment } of this.#replicas.values()) if (routed && ailment !== null) ailments[id] = ailment;
    return ailments;
  }

  /** For the lease: routed replica → what monitoring reads of it. */
  gauges(nowMs: number): Record<string, ReplicaGauges> {
    return Object.fromEntries(this.routed().map((replica) => [replica.id, replicaGauges(replica, nowMs)]));
  }

  /** What a token takes on this deployment's engines in a typical batch: the mean over its replicas. */
  decodeMsPerToken(deployment: string): number {
    let ms = this.#decodeMsPerToken.get(deployment);
    if (ms === undefined) {
      ms = typicalDecodeMsPerToken(this.eligible(deployment));
      this.#decodeMsPerToken.set(deployment, ms);
    }
    return ms;
  }

  close(): void {
    for (const { upstream } of this.#replicas.values()) upstream.destroy();
  }

  #route(row: RoutedReplica): void {
    const known = this.#replicas.get(row.replicaId);
    if (!known) {
      this.#replicas.set(row.replicaId, new LiveReplica(row, new Upstream(row.endpoint, this.#options), this.#gateways));
      return;
    }
    // Another generation is another engine, even at the same address; a closed upstream takes no more calls.
    const isAnother = known.row.generation !== row.generation || known.row.endpoint !== row.endpoint;
    const wasRouted = known.routed;
    known.update(row);
    known.routed = true;
    if (wasRouted && !isAnother) return;
    if (wasRouted) known.upstream.close();
    known.connect(new Upstream(row.endpoint, this.#options));
    if (isAnother) known.forgetEngine();
  }

  #unroute(replica: LiveReplica, nowMs: number): void {
    if (replica.routed) {
      replica.routed = false;
      replica.leftover = { finished: 0, retried: 0, dropped: 0 };
      replica.unroutedMs = nowMs;
      replica.upstream.close();
    } else if (replica.inFlight === 0 && nowMs - replica.unroutedMs > REMEMBER_MS) {
      this.#replicas.delete(replica.id);
    }
  }

  #reindex(): void {
    this.#eligible.clear();
    this.#decodeMsPerToken.clear();
    this.#engines.clear();
    for (const replica of this.#replicas.values()) {
      if (replica.routed) this.#engines.set(replica.deployment, this.#withEngine(replica));
      if (!replica.eligible) continue;
      const siblings = this.#eligible.get(replica.deployment) as LiveReplica[] | undefined;
      if (siblings) siblings.push(replica);
      else this.#eligible.set(replica.deployment, [replica]);
    }
  }

  #withEngine({ deployment, row }: LiveReplica): EngineKind | null {
    const known = this.#engines.get(deployment);
    return known === undefined || known === row.engine ? row.engine : null;
  }
}
