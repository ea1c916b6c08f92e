/**
 * Items in the order of their last use, as a ring that a head of its own closes. Moving one costs the same for any number of them, and
 * leaves no garbage, as taking it out of a `Map` and putting it in again would.
 */

export interface InRing<T> {
  /** Neighbours in the ring; null outside of it. */
  older: T | null;
  newer: T | null;
}

/** Makes an item the head of an empty ring: its `newer` is the item used longest ago, its `older` the last one, or itself. */
export function closeRing<T extends InRing<T>>(head: T): T {
  head.older = head;
  head.newer = head;
  return head;
}

/** @param item is in no ring */
export function putNewest<T extends InRing<T>>(head: T, item: T): void {
  const newest = head.older as T;
  item.older = newest;
  item.newer = head;
  newest.newer = item;
  head.older = item;
}

/** @param item is in a ring, and not its head */
export function takeOut<T extends InRing<T>>(item: T): void {
  (item.older as T).newer = item.newer;
  (item.newer as T).older = item.older;
  item.older = null;
  item.newer = null;
}
