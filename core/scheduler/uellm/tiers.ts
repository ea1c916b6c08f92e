/**
 * Which replicas are kept for looser TPOT targets. A request holds all that share its replica to its own pace, and where a step takes long
 * by itself (slow memory, large weights) a replica that keeps a tight pace gets through much less. So, of those that gain most, as many are
 * kept from tighter targets as looser ones can fill. Source: PolyServe (Zhu et al., 2025, arXiv 2507.17769), which divides the fleet for
 * good; here it is a preference, for as long as requests have to wait and have time to.
 */
import type { QueuedRequest, ReplicaView } from '../types.ts';
import type { Costs } from './cost.ts';

const REFRESH_MS = 1000;
/** Of the work that is remembered, what is left at the next refresh: about a minute of it counts. */
const REMEMBERED = 0.98;
/** Targets with less than this share of the work have nothing kept for them. */
const LEAST_SHARE = 0.01;

export class Tiers {
  readonly #costs: Costs;
  readonly #leastGain: number;
  /** By TPOT target, infinite for none. */
  readonly #work = new Map<number, number>();
  /** The tightest target that a replica is kept for, by its id; of those that are kept. */
  readonly #keptForMs = new Map<string, number>();
  #refreshedMs = Number.NEGATIVE_INFINITY;

  /** @param leastGain how many times as much a replica has to get through at a looser target to be kept for it */
  constructor(costs: Costs, leastGain: number) {
    this.#costs = costs;
    this.#leastGain = leastGain;
  }

  /** A request has come. @param cost in typical requests */
  observe(request: QueuedRequest, cost: number): void {
    const targetMs = tpotTargetMs(request);
    this.#work.set(targetMs, (this.#work.get(targetMs) ?? 0) + cost);
  }

  /** Is the replica kept for looser targets than this request's? */
  isKeptFrom({ id }: ReplicaView, request: QueuedRequest): boolean {
    const keptForMs = this.#keptForMs.get(id);
    return keptForMs !== undefined && tpotTargetMs(request) < keptForMs;
  }

  /** Divides the replicas anew, each revision's by themselves, when it is time to. */
  refresh(replicas: readonly ReplicaView[], nowMs: number): void {
    if (nowMs - this.#refreshedMs < REFRESH_MS) return;
    this.#refreshedMs = nowMs;
    this.#keptForMs.clear();
    const targets = this.#targets();
    if (targets.length > 1) for (const of of byRevision(replicas)) this.#divide(of, targets);
    for (const [targetMs, work] of this.#work) this.#work.set(targetMs, REMEMBERED * work);
  }

  /** Targets and their shares of the work, the loosest first. */
  #targets(): Target[] {
    let all = 0;
    for (const work of this.#work.values()) all += work;
    for (const [targetMs, work] of this.#work) if (work < LEAST_SHARE * all) this.#work.delete(targetMs);
    return [...this.#work].map(([targetMs, work]) => ({ targetMs, share: work / all })).sort((a, b) => b.targetMs - a.targetMs);
  }

  /** From the loosest target on; never all of the replicas, since the tightest target has a share of the work. */
  #divide(replicas: readonly ReplicaView[], targets: readonly Target[]): void {
    const tightestMs = targets.at(-1)!.targetMs;
    let keptPerMs = 0;
    let sharedPerMs = 0;
    for (const replica of replicas) sharedPerMs += this.#costs.capacity(replica, tightestMs);
    let share = 0;
    for (const target of targets.slice(0, -1)) {
      share += target.share;
      for (const { id, loosePerMs, tightPerMs } of this.#byGain(replicas, target.targetMs, tightestMs)) {
        const [kept, shared] = [keptPerMs + loosePerMs, sharedPerMs - tightPerMs];
        if (kept > share * (kept + shared)) continue;
        this.#keptForMs.set(id, target.targetMs);
        [keptPerMs, sharedPerMs] = [kept, shared];
      }
    }
  }

  /** Those that gain enough and are not kept yet, what gains most first; equals by id, so that several gateways choose the same. */
  #byGain(replicas: readonly ReplicaView[], looseMs: number, tightMs: number) {
    return replicas
      .map((replica) => {
        const [loosePerMs, tightPerMs] = [this.#costs.capacity(replica, looseMs), this.#costs.capacity(replica, tightMs)];
        return { id: replica.id, loosePerMs, tightPerMs, gain: loosePerMs / tightPerMs };
      })
      .filter(({ id, gain }) => gain >= this.#leastGain && !this.#keptForMs.has(id))
      .sort((a, b) => b.gain - a.gain || (a.id < b.id ? -1 : 1));
  }
}

interface Target {
  targetMs: number;
  share: number;
}

function tpotTargetMs({ targets }: QueuedRequest): number {
  return targets.tpotMs ?? Number.POSITIVE_INFINITY;
}

function byRevision(replicas: readonly ReplicaView[]): Iterable<ReplicaView[]> {
  const groups = new Map<number, ReplicaView[]>();
  for (const replica of replicas) {
    const group = groups.get(replica.revision);
    if (group) group.push(replica);
    else groups.set(replica.revision, [replica]);
  }
  return groups.values();
}
