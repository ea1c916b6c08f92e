/**
 * The answer on its way to the client. Nothing is sent before the first bytes of it are there, so that until then the request can still
 * be tried elsewhere. A client that reads slowly slows its engine down; one that stops reading is let go.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { type ApiError, errorBody, sendError } from './errors.ts';
import type { UpstreamCall } from './upstream.ts';

/** Headers of one connection, not of the message. Source: RFC 9110, section 7.6.1. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export class Reply {
  readonly #res: ServerResponse;
  readonly #stallMs: number;
  #head: { status: number; headers: Record<string, string | string[]>; events: boolean } | null = null;
  #sent = false;
  #stall: NodeJS.Timeout | undefined;

  /** @param stallMs longest time in which a client may read nothing of what waits for it */
  constructor(res: ServerResponse, stallMs: number) {
    this.#res = res;
    this.#stallMs = stallMs;
  }

  /** Bytes are out: what follows can only end this answer. */
  get sent(): boolean {
    return this.#sent;
  }

  /**
   * Keeps the engine's head until there is something to send. `added` are the gateway's own headers. The length of a stream of events is
   * not passed on: events may be taken out.
   */
  begin(status: number, headers: IncomingHttpHeaders, added: Record<string, string>, events: boolean): void {
    const passed: Record<string, string | string[]> = {};
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || HOP_BY_HOP.has(name) || (events && name === 'content-length')) continue;
      passed[name] = value;
    }
    this.#head = { status, headers: Object.assign(passed, added), events };
  }

  /** Sends bytes; pauses the engine while the client does not take them. */
  write(bytes: Buffer, call: UpstreamCall): void {
    this.#sendHead();
    if (this.#res.write(bytes) || this.#stall || this.#res.destroyed) return;
    call.pause();
    this.#stall = setTimeout(() => this.#res.destroy(), this.#stallMs);
    this.#res.once('drain', () => {
      this.#endStall();
      call.resume();
    });
  }

  end(): void {
    this.#sendHead();
    this.#endStall();
    this.#res.end();
  }

  /** Tells the client that it failed: as an answer while there is none, as a last event of a stream (without `[DONE]`), or by cutting off. */
  fail(error: ApiError, headers: Record<string, string>): void {
    this.#endStall();
    if (!this.#sent) sendError(this.#res, error, headers);
    else if (this.#head?.events) this.#res.end(`data: ${errorBody(error)}\n\n`);
    else this.#res.destroy();
  }

  /** The client is gone. */
  abandon(): void {
    this.#endStall();
  }

  #sendHead(): void {
    if (this.#sent || !this.#head) return;
    this.#sent = true;
    this.#res.sendDate = this.#head.headers.date === undefined;
    this.#res.writeHead(this.#head.status, this.#head.headers);
  }

  #endStall(): void {
    clearTimeout(this.#stall);
    this.#stall = undefined;
  }
}
