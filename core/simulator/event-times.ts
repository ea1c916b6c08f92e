/** When each of a fixed number of engines ends its step: a heap of their numbers by time, earliest first. Infinite means idle. */
export class EventTimes {
  readonly #times: Float64Array;
  readonly #heap: Int32Array;
  readonly #places: Int32Array;

  constructor(count: number) {
    this.#times = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    this.#heap = Int32Array.from({ length: count }, (_, i) => i);
    this.#places = Int32Array.from({ length: count }, (_, i) => i);
  }

  /** Who is next; its time is `time(first())`. */
  first(): number {
    return this.#heap[0]!;
  }

  time(index: number): number {
    return this.#times[index]!;
  }

  set(index: number, time: number): void {
    const earlier = time < this.#times[index]!;
    this.#times[index] = time;
    if (earlier) this.#rise(index);
    else this.#sink(index);
  }

  #rise(index: number): void {
    const time = this.#times[index]!;
    let place = this.#places[index]!;
    while (place > 0) {
      const parentPlace = (place - 1) >> 1;
      const parent = this.#heap[parentPlace]!;
      if (!this.#before(time, index, parent)) break;
      this.#put(parent, place);
      place = parentPlace;
    }
    this.#put(index, place);
  }

  #sink(index: number): void {
    const count = this.#heap.length;
    const time = this.#times[index]!;
    let place = this.#places[index]!;
    for (;;) {
      let childPlace = 2 * place + 1;
      if (childPlace >= count) break;
      const right = childPlace + 1;
      if (right < count) {
        const rightIndex = this.#heap[right]!;
        if (this.#before(this.#times[rightIndex]!, rightIndex, this.#heap[childPlace]!)) childPlace = right;
      }
      const child = this.#heap[childPlace]!;
      if (this.#before(time, index, child)) break;
      this.#put(child, place);
      place = childPlace;
    }
    this.#put(index, place);
  }

  /** Ties go to the lower number, so that the order of events depends on nothing else. */
  #before(time: number, index: number, other: number): boolean {
    const otherTime = this.#times[other]!;
    return time < otherTime || (time === otherTime && index < other);
  }

  #put(index: number, place: number): void {
    this.#heap[place] = index;
    this.#places[index] = place;
  }
}
