/**
 * The answer on its way to the client. Nothing of it is sent before its first bytes are there, so that until then the request can still be
 * tried elsewhere; a stream that waits long may have had a head of ours and comments by then. A client that reads slowly slows its engine down; one that stops reading is let go.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { type ApiError, errorBody, sendError } from '../errors.ts';
import { HOP_BY_HOP, namedHeaders } from '../hop-by-hop.ts';
import { atEndOfTurn, writeWithOthers } from '../joint-writes.ts';
import type { UpstreamCall } from '../upstream/upstream.ts';
import { asChunk, LAST_CHUNK } from './http-chunk.ts';
import { commentsOf, EARLY_HEAD, KEEP_ALIVE_COMMENT, lateErrorEvent, MAX_LATE_ERROR_BYTES } from './keep-alive.ts';

/** What is larger goes out as it is: copying it would take longer than a second piece does. */
const ONE_PIECE_BYTES = 8 * 1024;
const NOTHING = Buffer.alloc(0);

export class Reply {
  readonly #res: ServerResponse;
  readonly #stallMs: number;
  #head: { status: number; headers: Record<string, string | string[]>; added: Record<string, string>; events: boolean } | null = null;
  #sent = false;
  /** It is framed here, not by node:http. */
  #framed = false;
  /** A head of ours and comments are out. */
  #early = false;
  /** Of an answer that is no stream, where a stream has begun. */
  #whole: Buffer[] = [];
  #wholeBytes = 0;
  /** The last bytes of an answer, until its end is called: they go out in one write with it, and with the head where that has not gone. */
  #last: Buffer | null = null;
  #stall: NodeJS.Timeout | undefined;

  /** @param stallMs longest time in which a client may read nothing of what waits for it */
  constructor(res: ServerResponse, stallMs: number) {
    this.#res = res;
    this.#stallMs = stallMs;
  }

  /** Bytes of an answer are out: what follows can only end it. */
  get sent(): boolean {
    return this.#sent || this.#last !== null;
  }

  /**
   * Keeps the engine's head until there is something to send. `added` are the gateway's own headers. The length of a stream of events is
   * not passed on: events may be taken out.
   */
  begin(status: number, headers: IncomingHttpHeaders, added: Record<string, string>, events: boolean): void {
    const passed: Record<string, string | string[]> = {};
    const ofConnection = namedHeaders(headers.connection);
    for (const name in headers) {
      const value = headers[name];
      if (value === undefined || HOP_BY_HOP.has(name) || ofConnection?.includes(name) || (events && name === 'content-length')) continue;
      passed[name] = value;
    }
    this.#head = { status, headers: Object.assign(passed, added), added, events };
    if (!this.#early) return;
    this.#whole = [];
    this.#wholeBytes = 0;
  }

  /** Sends a comment, for whoever would take the silence for an end. @returns false where an answer has begun */
  stayAlive(headers: Record<string, string>): boolean {
    if (this.#sent || this.#res.destroyed) return false;
    if (!this.#early) this.#res.writeHead(200, { ...headers, ...EARLY_HEAD });
    this.#early = true;
    this.#res.write(KEEP_ALIVE_COMMENT);
    return true;
  }

  /** Sends a comment in a stream that has begun. */
  probe(): void {
    if (this.#early || (this.#sent && this.#head?.events)) this.#sendBody(Buffer.from(KEEP_ALIVE_COMMENT));
  }

  /** Sends bytes; pauses the engine while the client does not take them. @param areLast `end` or `fail` follows before anything else happens */
  write(bytes: Buffer, call: UpstreamCall, areLast: boolean): void {
    if (this.#early && !this.#head?.events) {
      this.#wholeBytes += bytes.length;
      if (this.#wholeBytes <= MAX_LATE_ERROR_BYTES) this.#whole.push(bytes);
      return;
    }
    this.#sendLast();
    if (areLast) {
      this.#last = bytes;
      return;
    }
    if (this.#sendBody(bytes) || this.#stall || this.#res.destroyed) return;
    call.pause();
    this.#stall = setTimeout(() => this.#res.destroy(), this.#stallMs);
    // What went past `node:http` is heard of from the socket only.
    (this.#res.socket ?? this.#res).once('drain', () => {
      this.#endStall();
      call.resume();
    });
  }

  end(): void {
    this.#endStall();
    if (this.#early && !this.#head?.events) {
      this.#res.end(lateErrorEvent(this.#head!.status, Buffer.concat(this.#whole)));
      return;
    }
    this.#close();
  }

  /** Tells the client that it failed: as an answer while there is none, as a last event of a stream (without `[DONE]`), or by cutting off. */
  fail(error: ApiError, headers: Record<string, string>): void {
    this.#endStall();
    this.#sendLast();
    if (!this.#sent && !this.#early) sendError(this.#res, error, headers);
    else if (this.#early || this.#head?.events) {
      this.#last = Buffer.from(`data: ${errorBody(error)}\n\n`);
      this.#close();
    } else {
      // What has come of it goes out before.
      this.#res.socket?.uncork();
      this.#res.destroy();
    }
  }

  /** The client is gone. */
  abandon(): void {
    this.#endStall();
  }

  #sendHead(): void {
    if (this.#sent || !this.#head) return;
    this.#sent = true;
    if (this.#early) {
      this.#res.write(commentsOf(this.#head.added));
      return;
    }
    this.#res.sendDate = this.#head.headers.date === undefined;
    this.#res.writeHead(this.#head.status, this.#head.headers);
    this.#framed = this.#res.chunkedEncoding;
    this.#res.chunkedEncoding = false;
  }

  #sendLast(): void {
    const last = this.#last;
    this.#last = null;
    if (last) this.#sendBody(last);
  }

  /**
   * All of the body goes this way, framed or not. Once the head is out it goes straight to the socket, past the bookkeeping of `node:http`,
   * which needs to know of the head and of the end alone. @returns false where the client does not take it yet
   */
  #sendBody(bytes: Buffer): boolean {
    const { socket, headersSent } = this.#res;
    if (socket) writeWithOthers(socket);
    this.#sendHead();
    const isPast = headersSent && !this.#early && socket !== null && !socket.destroyed;
    if (isPast) return socket.write(this.#framed ? asChunk(bytes) : bytes);
    if (bytes.length <= ONE_PIECE_BYTES) return this.#res.write(this.#asText(bytes), 'latin1');
    return this.#res.write(this.#framed ? asChunk(bytes) : bytes);
  }

  /** Nothing else is asked of it after this. */
  #close(): void {
    atEndOfTurn(() => this.#sendEnd());
  }

  #sendEnd(): void {
    const last = this.#last ?? NOTHING;
    this.#last = null;
    if (last.length > ONE_PIECE_BYTES) this.#sendBody(last);
    this.#sendHead();
    const text = last.length > ONE_PIECE_BYTES ? '' : this.#asText(last);
    this.#res.end(this.#framed ? text + LAST_CHUNK : text, 'latin1');
  }

  /** What is small goes out as text: in one piece with the head, where that is still to go, and with the end. */
  #asText(bytes: Buffer): string {
    const text = bytes.toString('latin1');
    return this.#framed && text !== '' ? `${text.length.toString(16)}\r\n${text}\r\n` : text;
  }

  #endStall(): void {
    clearTimeout(this.#stall);
    this.#stall = undefined;
  }
}
