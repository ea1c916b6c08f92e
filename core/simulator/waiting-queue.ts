/**
 * The engine's waiting queue: a binary heap by (priority, arrival), lower first. First come first served is the case of equal
 * priorities. A preempted sequence keeps its arrival, so that it comes back before all that never ran, which is vLLM's "prepend".
 */

export interface Queued {
  readonly priority: number;
  readonly arrival: number;
  /** Where it lies in the heap; -1 outside. Owned by the queue. */
  queueIndex: number;
}

/** Does `a` go before `b`? */
export function goesBefore(a: Queued, b: Queued): boolean {
  return a.priority === b.priority ? a.arrival < b.arrival : a.priority < b.priority;
}

export function enqueue<T extends Queued>(heap: T[], item: T): void {
  heap.push(item);
  rise(heap, item, heap.length - 1);
}

/** Takes out the first, or any other that waits. */
export function dequeue<T extends Queued>(heap: T[], item: T): void {
  const hole = item.queueIndex;
  const last = heap.pop();
  item.queueIndex = -1;
  if (last === undefined || last === item) return;
  if (hole > 0 && goesBefore(last, heap[(hole - 1) >> 1] as T)) rise(heap, last, hole);
  else sink(heap, last, hole);
}

function rise<T extends Queued>(heap: T[], item: T, from: number): void {
  let index = from;
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex] as T;
    if (!goesBefore(item, parent)) break;
    put(heap, parent, index);
    index = parentIndex;
  }
  put(heap, item, index);
}

function sink<T extends Queued>(heap: T[], item: T, from: number): void {
  let index = from;
  for (;;) {
    let childIndex = 2 * index + 1;
    if (childIndex >= heap.length) break;
    const right = heap[childIndex + 1];
    if (right !== undefined && goesBefore(right, heap[childIndex] as T)) childIndex++;
    const child = heap[childIndex] as T;
    if (!goesBefore(child, item)) break;
    put(heap, child, index);
    index = childIndex;
  }
  put(heap, item, index);
}

function put<T extends Queued>(heap: T[], item: T, index: number): void {
  heap[index] = item;
  item.queueIndex = index;
}
