/**
 * How this gateway shares the replicas with those beside it. Each tells with its lease what it wants of each replica, and reads with every renewal
 * what all of them want; from the same rows each works out its own part (`core/scheduler/shares.ts`). While the leases cannot be read, it goes by
 * what the engines say. Nothing of this is on a request's way. See docs/decisions/0017.
 */
import { type Demand, fairShares, type Share } from '../../core/scheduler/shares.ts';
import type { GatewayDemand } from '../../db/queries/leases.ts';
import type { Dispatcher } from '../dispatcher.ts';
import type { Fleet } from '../fleet.ts';
import type { LiveReplica } from '../replica.ts';

const NOTHING: Demand = { requests: 0, kvTokens: 0 };

export class Sharing {
  readonly #gatewayId: string;
  readonly #fleet: Fleet;
  readonly #dispatcher: Dispatcher;
  /** Side by side, as last heard. */
  #gateways: number;
  /** replica id → its share by the last reading. */
  #last = new Map<string, Share>();

  /** @param gateways how many there are until they hear of each other, if ever they do */
  constructor(gatewayId: string, fleet: Fleet, dispatcher: Dispatcher, gateways: number) {
    this.#gatewayId = gatewayId;
    this.#fleet = fleet;
    this.#dispatcher = dispatcher;
    this.#gateways = gateways;
    fleet.shareOut(gateways, null);
  }

  /** replica id → what this gateway wants of it: what it has open there, and an equal part of what waits for its deployment. */
  demand(): Record<string, Demand> {
    const waiting = new Map<string, Demand>();
    const demand: Record<string, Demand> = {};
    for (const { id, deployment, load } of this.#fleet.routed()) {
      const waits = waiting.get(deployment) ?? this.#dispatcher.waiting(deployment);
      waiting.set(deployment, waits);
      const parts = Math.max(1, this.#fleet.eligible(deployment).length);
      demand[id] = {
        requests: load.inFlight + Math.ceil(waits.requests / parts),
        kvTokens: Math.round(load.expectedKvTokens + waits.kvTokens / parts),
      };
    }
    return demand;
  }

  /** What all gateways with a lease want, in the same order for each of them; null while that cannot be read. */
  heard(rows: readonly GatewayDemand[] | null): void {
    const own = rows?.findIndex(({ gatewayId }) => gatewayId === this.#gatewayId) ?? -1;
    if (!rows || own === -1) {
      this.#last.clear();
      this.#fleet.shareOut(this.#gateways, null);
      return;
    }
    this.#gateways = rows.length;
    const shares = new Map<string, Share>();
    this.#fleet.shareOut(rows.length, (replica) => {
      const share = shareOf(replica, rows, own);
      shares.set(replica.id, share);
      // A share that grows was another's until a moment ago, who may not have read that yet: it is taken one reading later.
      const last = this.#last.get(replica.id) ?? share;
      return { ...share, requests: Math.min(share.requests, last.requests), kvTokens: Math.min(share.kvTokens, last.kvTokens) };
    });
    this.#last = shares;
  }
}

function shareOf({ id, limit, kvCacheTokens }: LiveReplica, rows: readonly GatewayDemand[], own: number): Share {
  const demands = rows.map(({ demand }) => demand[id] ?? NOTHING);
  const wanted = demands.map(({ requests }) => requests);
  const requests = fairShares(limit, wanted);
  const kvTokens = fairShares(
    kvCacheTokens,
    demands.map((demand) => demand.kvTokens),
  );
  const wanting = wanted.filter((want, i) => want > requests[i]!).length;
  return { requests: requests[own]!, kvTokens: kvTokens[own]!, wanting: wanted[own]! > requests[own]! ? wanting : 0 };
}
