/**
 * A token bucket: fills at a steady rate up to one minute's worth, and everything that is spent comes out of it. It may be overdrawn, by
 * what turned out dearer than was reserved or by a single request that is larger than the whole bucket: what follows then waits the longer,
 * so that the rate holds in the long run. Times are milliseconds on one clock of the caller's, which never goes back.
 */
const MINUTE_MS = 60_000;
const ROUNDING_MS = 1e-3;

export class TokenBucket {
  #capacity: number;
  #level: number;
  #atMs: number;

  /** Begins full. @param perMinute what comes in a minute, and the most that is kept */
  constructor(perMinute: number, nowMs: number) {
    this.#capacity = perMinute;
    this.#level = perMinute;
    this.#atMs = nowMs;
  }

  get capacity(): number {
    return this.#capacity;
  }

  level(nowMs: number): number {
    if (nowMs > this.#atMs) {
      this.#level = Math.min(this.#capacity, this.#level + ((nowMs - this.#atMs) * this.#capacity) / MINUTE_MS);
      this.#atMs = nowMs;
    }
    return this.#level;
  }

  /** From now on so much comes in a minute. What is there above it is gone; nothing is added. */
  resize(perMinute: number, nowMs: number): void {
    this.#level = Math.min(this.level(nowMs), perMinute);
    this.#capacity = perMinute;
  }

  /** Milliseconds until so much may be taken, if nothing else is: 0 now. What is larger than the bucket may be taken from a full one. */
  msUntil(amount: number, nowMs: number): number {
    const missing = Math.min(amount, this.#capacity) - this.level(nowMs);
    // Whole ones, and no more for what sums lose in their last digits: who waits that long is not sent away again.
    return Math.max(0, Math.ceil((missing / this.#capacity) * MINUTE_MS - ROUNDING_MS));
  }

  /** Takes it, whether it is there or not; a negative amount is given back. */
  take(amount: number, nowMs: number): void {
    this.#level = Math.min(this.#capacity, this.level(nowMs) - amount);
  }
}
