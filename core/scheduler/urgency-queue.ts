/**
 * A queue in three tiers: those that have aged first, then those in time, then those that are demoted; within each by a given order.
 * Requests move between tiers as they wait (`admission.ts` says when): a heap of timers finds them, so that time costs nothing for those
 * that stay where they are.
 */
import { AGEING_FACTOR } from './admission.ts';
import { Heap } from './heap.ts';
import { byArrival, type Order } from './order.ts';
import { PassingMap } from './passing-map.ts';
import type { QueuedRequest } from './types.ts';

interface Timer<R> {
  request: R;
  atMs: number;
}

export class UrgencyQueue<R extends QueuedRequest> {
  readonly #aged: Heap<R>;
  readonly #inTime: Heap<R>;
  readonly #demoted: Heap<R>;
  readonly #timers = new Heap<Timer<R>>((a, b) => (a.atMs === b.atMs ? byArrival(a.request, b.request) < 0 : a.atMs < b.atMs));
  readonly #timerOf = new PassingMap<R, Timer<R>>();

  constructor(order: Order) {
    const before = (a: R, b: R) => order(a, b) < 0;
    this.#aged = new Heap(before);
    this.#inTime = new Heap(before);
    this.#demoted = new Heap(before);
  }

  get size(): number {
    return this.#aged.size + this.#inTime.size + this.#demoted.size;
  }

  add(request: R): void {
    this.#inTime.add(request);
    this.#wait(request, request.arrivalMs + request.queue.maxWaitMs);
  }

  delete(request: R): boolean {
    const timer = this.#timerOf.get(request);
    if (timer) {
      this.#timers.delete(timer);
      this.#timerOf.delete(request);
    }
    return this.#inTime.delete(request) || this.#demoted.delete(request) || this.#aged.delete(request);
  }

  first(nowMs: number): R | undefined {
    for (let timer = this.#timers.first(); timer && timer.atMs < nowMs; timer = this.#timers.first()) this.#expire(timer);
    return this.#aged.first() ?? this.#inTime.first() ?? this.#demoted.first();
  }

  #expire(timer: Timer<R>): void {
    const { request } = timer;
    this.#timers.delete(timer);
    this.#timerOf.delete(request);
    if (this.#inTime.delete(request)) {
      this.#demoted.add(request);
      this.#wait(request, request.arrivalMs + AGEING_FACTOR * request.queue.maxWaitMs);
    } else if (this.#demoted.delete(request)) {
      this.#aged.add(request);
    }
  }

  #wait(request: R, atMs: number): void {
    const timer = { request, atMs };
    this.#timers.add(timer);
    this.#timerOf.set(request, timer);
  }
}
