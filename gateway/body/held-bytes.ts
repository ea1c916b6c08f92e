/**
 * The bytes of all bodies that the gateway holds: those that are coming, and those of requests whose answer has not begun. A number of requests
 * alone bounds no memory, since a thousand bodies may be a thousand times 16 MB.
 */
export class HeldBytes {
  readonly limit: number;
  #held = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get held(): number {
    return this.#held;
  }

  /** @returns whether there was room; nothing is taken where there was none */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.limit) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
  }
}
