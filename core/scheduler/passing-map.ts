/**
 * A map whose entries pass through: each stays for a short time, and others come. In a `Map` that is dear: V8 writes a table that is full of
 * entries that have left anew, and links the old one to the new one, for iterators under way. Once one of them is in the old generation, dead
 * or not, collections of young garbage keep all that come after it, with whatever was in them: of a gateway's requests every one was kept,
 * copied twice, and left to the next full collection. So this map starts anew, with a table that no other leads to, before it has kept much.
 */
const AT_LEAST = 64;

export class PassingMap<K, V> {
  #map = new Map<K, V>();
  #left = 0;

  get size(): number {
    return this.#map.size;
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  /** False where it was not in it. */
  delete(key: K): boolean {
    if (!this.#map.delete(key)) return false;
    this.#left += 1;
    if (this.#left > AT_LEAST && this.#left > 2 * this.#map.size) {
      this.#map = new Map(this.#map);
      this.#left = 0;
    }
    return true;
  }

  /** In the order in which they came. Whoever takes entries out while going through them goes through a copy. */
  keys(): MapIterator<K> {
    return this.#map.keys();
  }

  values(): MapIterator<V> {
    return this.#map.values();
  }
}

/** A set of the same kind. */
export class PassingSet<T> implements Iterable<T> {
  readonly #members = new PassingMap<T, null>();

  get size(): number {
    return this.#members.size;
  }

  has(member: T): boolean {
    return this.#members.has(member);
  }

  add(member: T): void {
    this.#members.set(member, null);
  }

  delete(member: T): boolean {
    return this.#members.delete(member);
  }

  [Symbol.iterator](): MapIterator<T> {
    return this.#members.keys();
  }
}
