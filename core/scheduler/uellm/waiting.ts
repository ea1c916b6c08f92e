/**
 * Who waits: `urgent` are those that can still be in time, by when they have to start for that, what may be shed behind what may not;
 * `background` those that have been demoted, by their arrival, to be served when there is room, and before everyone once they have aged.
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
    if (!this.#background.delete(request)) this.urgent.splice(this.urgent.indexOf(item), 1);
    return true;
  }

  demote(item: WaitingItem<R>): void {
    this.urgent.splice(this.urgent.indexOf(item), 1);
    this.#background.add(item.request);
  }

  /** The demoted one that has waited longest. */
  background(): R | undefined {
    return this.#background.first();
  }

  /** The same, where it has waited so long that it must not wait behind others any more. */
  aged(nowMs: number): R | undefined {
    const oldest = this.#background.first();
    return oldest && nowMs - oldest.arrivalMs > AGEING_FACTOR * oldest.queue.maxWaitMs ? oldest : undefined;
  }
}

/** Of equals, who came first. */
function goesBefore<R extends QueuedRequest>(waiting: WaitingItem<R>, newcomer: WaitingItem<R>): boolean {
  const isSheddable = waiting.request.priority < 0;
  if (isSheddable !== newcomer.request.priority < 0) return !isSheddable;
  return waiting.startByMs <= newcomer.startByMs;
}
