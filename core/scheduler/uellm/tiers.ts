/**
 * Which replicas are kept for looser TPOT targets. A request holds all that share its replica to its own pace, and where a step takes long
 * by itself (slow memory, large weights) a replica that keeps a tight pace gets through much less. So, of those that gain most, as many are
 * kept from tighter targets as looser ones can fill. Source: PolyServe (Zhu et al., 2025, arXiv 2507.17769), which divides the fleet for
 * good; here it is a preference, for as long as requests have to wait and have time to.
 */
import { groupBy } from '../../domain/group-by.ts';
import type { QueuedRequest, ReplicaView } from '../types.ts';
import type { Costs } from './cost.ts';

const REFRESH_MS = 1000;
/** What was asked for counts the less the longer ago: this fades it to a third. */
const WINDOW_MS = 60_000;
/** Targets with less than this share of the work have nothing kept for them, nor are others kept from them. */
const LEAST_SHARE = 0.05;
/** Clients may name targets of their own: the least asked for are forgotten. */
const MOST_TARGETS = 32;

export class Tiers {
  readonly #costs: Costs;
  readonly #leastGain: number;
  /** By TPOT target, infinite for none. */
  readonly #work = new Map<number, number>();
  /** The tightest target that a replica is kept for, by its id; of those that are kept. */
  readonly #keptForMs = new Map<string, number>();
  #refreshedMs = Number.NEGATIVE_INFINITY;

  /** @param leastGain how many times as much a replica has to get through at a looser target to be kept for it; 0 keeps none */
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
    const elapsedMs = nowMs - this.#refreshedMs;
    if (elapsedMs < REFRESH_MS) return;
    this.#fade(Number.isFinite(elapsedMs) ? Math.exp(-elapsedMs / WINDOW_MS) : 1);
    this.#refreshedMs = nowMs;
    this.#keptForMs.clear();
    if (this.#leastGain === 0) return;
    const targets = this.#targets();
    if (targets.length > 1) for (const of of groupBy(replicas, ({ revision }) => revision).values()) this.#divide(of, targets);
  }

  #fade(by: number): void {
    for (const [targetMs, work] of this.#work) this.#work.set(targetMs, by * work);
    if (this.#work.size <= MOST_TARGETS) return;
    const least = [...this.#work].sort(([, a], [, b]) => b - a).slice(MOST_TARGETS);
    for (const [targetMs] of least) this.#work.delete(targetMs);
  }

  /** Targets and their shares of the work, the loosest first. */
  #targets(): Target[] {
    let all = 0;
    for (const work of this.#work.values()) all += work;
    return [...this.#work]
      .map(([targetMs, work]) => ({ targetMs, share: work / all }))
      .filter(({ share }) => share >= LEAST_SHARE)
      .sort((a, b) => b.targetMs - a.targetMs);
  }

  /** From the loosest target on; never all of the replicas, since the tightest target has a share of the work. */
  #divide(replicas: readonly ReplicaView[], targets: readonly Target[]): void {
    const perMs = (targetMs: number) => replicas.map((replica) => this.#costs.capacity(replica, targetMs));
    // One that none of them can keep says nothing of what they get through.
    const tightest = targets.findLastIndex(({ targetMs }) => perMs(targetMs).some((capacity) => capacity > 0));
    if (tightest < 1) return;
    const tightPerMs = perMs(targets[tightest]!.targetMs);
    let keptPerMs = 0;
    let sharedPerMs = tightPerMs.reduce((sum, capacity) => sum + capacity, 0);
    let share = 0;
    for (const target of targets.slice(0, tightest)) {
      share += target.share;
      for (const { id, loose, tight } of this.#byGain(replicas, perMs(target.targetMs), tightPerMs)) {
        const [kept, shared] = [keptPerMs + loose, sharedPerMs - tight];
        if (kept > share * (kept + shared)) continue;
        this.#keptForMs.set(id, target.targetMs);
        [keptPerMs, sharedPerMs] = [kept, shared];
      }
    }
  }

  /** Those that gain enough and are not kept yet, what gains most first; equals by id: gateways that see the same traffic choose the same. */
  #byGain(replicas: readonly ReplicaView[], loosePerMs: readonly number[], tightPerMs: readonly number[]) {
    return replicas
      .map(({ id }, i) => ({ id, loose: loosePerMs[i]!, tight: tightPerMs[i]!, gain: loosePerMs[i]! / tightPerMs[i]! }))
      .filter(({ id, gain, loose }) => gain >= this.#leastGain && Number.isFinite(loose) && !this.#keptForMs.has(id))
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
