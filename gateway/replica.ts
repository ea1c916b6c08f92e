/** One replica as this gateway knows it: what the table says, what is open on it, how it fares. It is the scheduler's view of it too. */
import type { RoutedReplica } from '../core/domain/routing.ts';
import { kvTokensOf } from '../core/scheduler/round.ts';
import type { EngineLoad, QueuedRequest, ReplicaView } from '../core/scheduler/types.ts';
import type { Upstream } from './upstream.ts';

export class LiveReplica implements ReplicaView {
  readonly id: string;
  /** In force: the table's row, or the last one when the table has it no more. */
  row: RoutedReplica;
  upstream: Upstream;
  /** In the table. Nothing new goes to one that is not. */
  routed = true;
  /** Why nothing is sent to it until it answers again; null while it is well. */
  ailment: string | null = null;
  /** Scrapes that failed in a row. */
  failures = 0;
  /** When bytes last came from it, on the monotonic clock. */
  lastHeardMs = Number.NEGATIVE_INFINITY;
  engine: EngineLoad | null = null;
  /** When it left the table, on the monotonic clock. */
  unroutedMs = 0;

  readonly running = new Set<QueuedRequest>();
  started = 0;
  finished = 0;
  reservedKvTokens = 0;
  outstandingPrefillTokens = 0;
  outstandingPrefillSquares = 0;
  outstandingDecodeTokens = 0;

  constructor(row: RoutedReplica, upstream: Upstream) {
    this.id = row.replicaId;
    this.row = row;
    this.upstream = upstream;
  }

  get deployment(): string {
    return this.row.deployment;
  }
  get revision(): number {
    return this.row.revision;
  }
  get weight(): number {
    return this.row.weight;
  }
  get maxInFlight(): number {
    return this.row.maxInFlight;
  }
  get stepTime(): RoutedReplica['stepTime'] {
    return this.row.stepTime;
  }
  get kvCacheTokens(): number {
    return this.row.kvCacheTokens;
  }

  get healthy(): boolean {
    return this.ailment === null;
  }

  /** May requests be sent to it? */
  get eligible(): boolean {
    return this.routed && this.healthy && this.row.weight > 0;
  }
}

/** What one open request holds on a replica, from its release to its end. */
export class Reservation {
  readonly replica: LiveReplica;
  readonly #request: QueuedRequest;
  readonly #expectedTokens: number;
  readonly #onRelease: (replica: LiveReplica) => void;
  #producedTokens = 0;
  #prefilling = true;
  #released = false;

  constructor(replica: LiveReplica, request: QueuedRequest, onRelease: (replica: LiveReplica) => void) {
    this.replica = replica;
    this.#request = request;
    this.#expectedTokens = request.predictedOutput.p50;
    this.#onRelease = onRelease;
    replica.running.add(request);
    replica.started += 1;
    replica.reservedKvTokens += kvTokensOf(request);
    replica.outstandingPrefillTokens += request.inputTokens;
    replica.outstandingPrefillSquares += request.inputTokens ** 2;
    replica.outstandingDecodeTokens += this.#expectedTokens;
  }

  /** Output tokens have come; the first of them ends the prefill. What exceeds the expectation is reserved as it comes. */
  produced(tokens: number): void {
    if (this.#released) return;
    this.#endPrefill();
    const expectedBefore = this.#stillExpected();
    const excessBefore = this.#excess();
    this.#producedTokens += tokens;
    this.replica.outstandingDecodeTokens -= expectedBefore - this.#stillExpected();
    this.replica.reservedKvTokens += this.#excess() - excessBefore;
  }

  /** Gives everything back. Again is harmless. */
  release(): void {
    if (this.#released) return;
    this.#endPrefill();
    this.#released = true;
    const { replica } = this;
    replica.running.delete(this.#request);
    replica.finished += 1;
    replica.outstandingDecodeTokens -= this.#stillExpected();
    replica.reservedKvTokens -= kvTokensOf(this.#request) + this.#excess();
    // Sums of predictions are fractions: leave no dust behind.
    if (replica.running.size === 0) replica.reservedKvTokens = replica.outstandingDecodeTokens = 0;
    this.#onRelease(replica);
  }

  #endPrefill(): void {
    if (!this.#prefilling) return;
    this.#prefilling = false;
    this.replica.outstandingPrefillTokens -= this.#request.inputTokens;
    this.replica.outstandingPrefillSquares -= this.#request.inputTokens ** 2;
  }

  #stillExpected(): number {
    return Math.max(0, this.#expectedTokens - this.#producedTokens);
  }

  #excess(): number {
    return Math.max(0, this.#producedTokens - this.#expectedTokens);
  }
}
