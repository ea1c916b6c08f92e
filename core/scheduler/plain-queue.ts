/** A queue in a fixed order: waiting changes nobody's place. */
import { Heap } from './heap.ts';
import type { Order } from './order.ts';
import type { QueuedRequest } from './types.ts';

export class PlainQueue<R extends QueuedRequest> {
  readonly #waiting: Heap<R>;

  constructor(order: Order) {
    this.#waiting = new Heap((a, b) => order(a, b) < 0);
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(request: R): void {
    this.#waiting.add(request);
  }

  delete(request: R): boolean {
    return this.#waiting.delete(request);
  }

  first(): R | undefined {
    return this.#waiting.first();
  }
}
