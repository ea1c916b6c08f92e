/**
 * Who waits: `urgent` are those that can still be in time, by when they have to start for that, what may be shed behind what may not;
 * `background` those that have been demoted, by their arrival, to be served when there is room, and before everyone once they have aged,
 * which is sooner for those that may wait less.
 */
import { AGEING_FACTOR } from '../admission.ts';
import { Heap } from '../heap.ts';
import { byArrival } from '../order.ts';
import type { QueuedRequest } from '../types.ts';

export interface WaitingItem<R> {
  readonly request: R;
  /** When its first token is due, and by when it has to start for that. */
  readonly dueMs: number;
  readonly startByMs: number;
  /** Which length of prompt it has, for fairness. */
  readonly lengthBucket: number;
  /** Engine time it takes, in typical requests; 0 until someone asks. */
  cost: number;
  /** The same for what it is worth: who weighs most is given up first. */
  weight: number;
}

export class Waiting<R extends QueuedRequest> {
  readonly urgent: WaitingItem<R>[] = [];
  readonly #background = new Heap<R>((a, b) => byArrival(a, b) < 0);
  /** The same ones, by when they have aged. */
  readonly #ageing = new Heap<R>((a, b) => (agedAtMs(a) - agedAtMs(b) || byArrival(a, b)) < 0);
  readonly #items = new Map<R, WaitingItem<R>>();

  get size(): number {
    return this.#items.size;
  }

  item(request: R): WaitingItem<R> {
    return this.#items.get(request)!;
  }

  add(item: WaitingItem<R>): void {
    this.#items.set(item.request, item);
    let low = 0;
    let high = this.urgent.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (goesBefore(this.urgent[middle]!, item)) low = middle + 1;
      else high = middle;
    }
    this.urgent.splice(low, 0, item);
  }

  delete(request: R): boolean {
    const item = this.#items.get(request);
    if (!item) return false;
    this.#items.delete(request);
    if (this.#background.delete(request)) this.#ageing.delete(request);
    else this.urgent.splice(this.urgent.indexOf(item), 1);
    return true;
  }

  demote(item: WaitingItem<R>): void {
    this.urgent.splice(this.urgent.indexOf(item), 1);
    this.#background.add(item.request);
    this.#ageing.add(item.request);
  }

  /** The demoted one that has waited longest, of all or of those that `may` go: they are all looked at then. */
  background(may?: (request: R) => boolean): R | undefined {
    if (!may) return this.#background.first();
    let first: R | undefined;
    for (const request of this.#background) if (may(request) && (!first || byArrival(request, first) < 0)) first = request;
    return first;
  }

  /** The first one that has waited so long that it must not wait behind others any more. */
  aged(nowMs: number): R | undefined {
    const first = this.#ageing.first();
    return first && nowMs - first.arrivalMs > AGEING_FACTOR * first.queue.maxWaitMs ? first : undefined;
  }
}

function agedAtMs({ arrivalMs, queue }: QueuedRequest): number {
  return arrivalMs + AGEING_FACTOR * queue.maxWaitMs;
}

/** Of equals, who came first. */
function goesBefore<R extends QueuedRequest>(waiting: WaitingItem<R>, newcomer: WaitingItem<R>): boolean {
  const isSheddable = waiting.request.priority < 0;
  if (isSheddable !== newcomer.request.priority < 0) return !isSheddable;
  return waiting.startByMs <= newcomer.startByMs;
}
