/**
 * Failed authentications by client address: a token bucket for each, in bounded memory. Ten at once, then one every five seconds. Addresses of
 * IPv6 count by their /64, which is what one client commonly has.
 */

const BURST = 10;
const REFILL_MS = 5000;
/** The address that failed longest ago is forgotten for a new one. */
const MOST_ADDRESSES = 10_000;

export class FailedAttempts {
  /** Address → failures that are not forgiven yet, and when that was reckoned. In the order of the last failure. */
  readonly #failures = new Map<string, { count: number; atMs: number }>();

  /** @returns how long to wait, in ms, before that address may try again; 0 for now */
  waitMs(address: string, nowMs: number): number {
    if (this.#failures.size === 0) return 0;
    const count = this.#countOf(network(address), nowMs);
    return Math.max(0, Math.ceil((count - (BURST - 1)) * REFILL_MS));
  }

  failed(address: string, nowMs: number): void {
    const key = network(address);
    const count = Math.min(BURST, this.#countOf(key, nowMs) + 1);
    this.#failures.delete(key);
    this.#failures.set(key, { count, atMs: nowMs });
    if (this.#failures.size <= MOST_ADDRESSES) return;
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }

  /** Addresses remembered. */
  get size(): number {
    return this.#failures.size;
  }

  #countOf(key: string, nowMs: number): number {
    const known = this.#failures.get(key);
    if (!known) return 0;
    return Math.max(0, known.count - (nowMs - known.atMs) / REFILL_MS);
  }
}

function network(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [before = '', after] = address.split('%')[0]!.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array(Math.max(0, zeros)).fill('0'), ...tail].slice(0, 4).join(':');
}
