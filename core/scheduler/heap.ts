/** A binary heap whose items can also leave from the middle. Equal items come out in the order that `before` gives them: make it total. */
import { PassingMap } from './passing-map.ts';

export class Heap<T> {
  readonly #items: T[] = [];
  readonly #indexes = new PassingMap<T, number>();
  readonly #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  first(): T | undefined {
    return this.#items[0];
  }

  has(item: T): boolean {
    return this.#indexes.has(item);
  }

  /** In no order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]();
  }

  add(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** False where it was not in it. */
  delete(item: T): boolean {
    const hole = this.#indexes.get(item);
    if (hole === undefined) return false;
    this.#indexes.delete(item);
    const last = this.#items.pop() as T;
    if (last === item) return true;
    if (hole > 0 && this.#before(last, this.#items[(hole - 1) >> 1] as T)) this.#rise(last, hole);
    else this.#sink(last, hole);
    return true;
  }

  #rise(item: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#items[parentIndex] as T;
      if (!this.#before(item, parent)) break;
      this.#put(parent, index);
      index = parentIndex;
    }
    this.#put(item, index);
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= items.length) break;
      const right = items[childIndex + 1];
      if (right !== undefined && this.#before(right, items[childIndex] as T)) childIndex++;
      const child = items[childIndex] as T;
      if (!this.#before(child, item)) break;
      this.#put(child, index);
      index = childIndex;
    }
    this.#put(item, index);
  }

  #put(item: T, index: number): void {
    this.#items[index] = item;
    this.#indexes.set(item, index);
  }
}
