/** One sending of a request to one replica. It holds the reservation there for as long as the engine may know the request. */
import type { IncomingHttpHeaders } from 'node:http';
import type { LiveReplica, Reservation } from '../replica.ts';
import type { Upstream, UpstreamCall, UpstreamHandler } from './upstream.ts';

export interface AttemptOwner {
  mayBeSilent(attempt: Attempt): boolean;
  onHead(attempt: Attempt, status: number, headers: IncomingHttpHeaders): void;
  onData(attempt: Attempt, chunk: Buffer, isLast: boolean): void;
  onEnd(attempt: Attempt): void;
  onFailure(attempt: Attempt, error: Error, neverSent: boolean): void;
}

export class Attempt implements UpstreamHandler {
  readonly reservation: Reservation;
  /** The engine that it went to: the replica may have another by the time it ends. */
  readonly upstream: Upstream;
  readonly #owner: AttemptOwner;
  #call: UpstreamCall | null = null;
  #dropped = false;

  constructor(owner: AttemptOwner, reservation: Reservation) {
    this.#owner = owner;
    this.reservation = reservation;
    this.upstream = reservation.replica.upstream;
  }

  get replica(): LiveReplica {
    return this.reservation.replica;
  }

  /** The open call: only while an answer comes. */
  get call(): UpstreamCall {
    return this.#call!;
  }

  send(path: string, headers: Record<string, string>, body: Buffer): void {
    const call = this.upstream.post(path, headers, body, this);
    this.#call = call;
    if (this.#dropped) call.abort();
  }

  /** Nobody waits for it any more. Its reservation is given back when the engine's connection is gone. */
  drop(): void {
    this.#dropped = true;
    this.#call?.abort();
  }

  mayBeSilent(): boolean {
    return this.#owner.mayBeSilent(this);
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#heard();
    if (!this.#dropped) this.#owner.onHead(this, status, headers);
  }

  onData(chunk: Buffer, isLast: boolean): void {
    this.#heard();
    if (!this.#dropped) this.#owner.onData(this, chunk, isLast);
  }

  onEnd(): void {
    if (!this.#dropped) this.#owner.onEnd(this);
    this.reservation.end();
  }

  onFailure(error: Error, neverSent: boolean): void {
    this.reservation.end();
    if (!this.#dropped) this.#owner.onFailure(this, error, neverSent);
  }

  #heard(): void {
    this.replica.lastHeardMs = performance.now();
  }
}
