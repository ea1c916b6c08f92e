/**
 * Who waits: `urgent` are those that can still be in time, by when they have to start for that, what may be shed behind what may not;
 * `background` those that have been demoted, by their arrival, to be served when there is room, and before everyone once they have aged,
 * which is sooner for those that may wait less. Where several tenants of a class wait, it is by turns: in the place of the first of them
 * goes one of the tenant whose turn it is.
 */
import { AGEING_FACTOR } from '../admission.ts';
import { Heap } from '../heap.ts';
import { byArrival } from '../order.ts';
import { PassingMap } from '../passing-map.ts';
import type { QueuedRequest } from '../types.ts';
import { TenantTurns, type Turn } from './turns.ts';

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
  /** Its tenant's, while it waits. */
  turn?: Turn;
}

/** The demoted ones of a tenant in a class: by their arrival, and by when they have aged. */
interface Demoted<R> {
  readonly turn: Turn;
  readonly background: Heap<R>;
  readonly ageing: Heap<R>;
}

export class Waiting<R extends QueuedRequest> {
  readonly urgent: WaitingItem<R>[] = [];
  readonly #demoted = new PassingMap<Turn, Demoted<R>>();
  readonly #items = new PassingMap<R, WaitingItem<R>>();
  readonly #turns = new TenantTurns();

  get size(): number {
    return this.#items.size;
  }

  item(request: R): WaitingItem<R> {
    return this.#items.get(request)!;
  }

  add(item: WaitingItem<R>): void {
    this.#items.set(item.request, item);
    item.turn = this.#turns.enter(item.request);
    item.turn.urgent += 1;
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
    const turn = item.turn!;
    this.#items.delete(request);
    this.#turns.leave(turn);
    const demoted = this.#demoted.get(turn);
    if (demoted?.background.delete(request)) {
      demoted.ageing.delete(request);
      if (demoted.background.size === 0) this.#demoted.delete(turn);
    } else {
      turn.urgent -= 1;
      this.urgent.splice(this.urgent.indexOf(item), 1);
    }
    return true;
  }

  demote(item: WaitingItem<R>): void {
    const turn = item.turn!;
    turn.urgent -= 1;
    this.urgent.splice(this.urgent.indexOf(item), 1);
    let demoted = this.#demoted.get(turn);
    if (!demoted) {
      demoted = { turn, background: new Heap((a, b) => byArrival(a, b) < 0), ageing: new Heap((a, b) => byAge(a, b) < 0) };
      this.#demoted.set(turn, demoted);
    }
    demoted.background.add(item.request);
    demoted.ageing.add(item.request);
  }

  /** It is served, and leaves. */
  serve(item: WaitingItem<R>): void {
    this.#turns.serve(item.turn!, item.request);
    this.delete(item.request);
  }

  /** The urgent one that goes in the place of this one: the first of the tenant whose turn it is. */
  inTurn(item: WaitingItem<R>): WaitingItem<R> {
    const own = item.turn!;
    if (own.group.tenants < 2) return item;
    let next = own;
    for (const turn of own.group.turns.values()) if (turn.urgent > 0 && turn.tag < next.tag) next = turn;
    return next === own ? item : this.urgent.find(({ turn }) => turn === next)!;
  }

  /** The demoted one that goes first, of all or of those that `may` go: they are all looked at then. */
  background(may?: (request: R) => boolean): R | undefined {
    return this.#first(({ background }) => (may ? earliest(background, may) : background.first()), byArrival);
  }

  /** One that has waited so long that it must not wait behind others any more. */
  aged(nowMs: number): R | undefined {
    return this.#first(({ ageing }) => {
      const first = ageing.first();
      return first && nowMs > agedAtMs(first) ? first : undefined;
    }, byAge);
  }

  /** Of the first of each tenant the one that comes first, or another in its place whose tenant's turn it is. */
  #first(of: (demoted: Demoted<R>) => R | undefined, order: (a: R, b: R) => number): R | undefined {
    let first: R | undefined;
    let whose: Turn | undefined;
    for (const demoted of this.#demoted.values()) {
      const request = of(demoted);
      if (request && (!first || order(request, first) < 0)) [first, whose] = [request, demoted.turn];
    }
    if (!whose || whose.group.tenants < 2) return first;
    for (const demoted of this.#demoted.values()) {
      if (demoted.turn.group !== whose.group || demoted.turn.tag >= whose.tag) continue;
      const request = of(demoted);
      if (request) [first, whose] = [request, demoted.turn];
    }
    return first;
  }
}

function earliest<R extends QueuedRequest>(requests: Iterable<R>, may: (request: R) => boolean): R | undefined {
  let first: R | undefined;
  for (const request of requests) if (may(request) && (!first || byArrival(request, first) < 0)) first = request;
  return first;
}

function byAge(a: QueuedRequest, b: QueuedRequest): number {
  return agedAtMs(a) - agedAtMs(b) || byArrival(a, b);
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
