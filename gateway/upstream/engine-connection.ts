/** One connection to an engine: carries one request at a time, and is used again while the engine keeps it. */
import type { IncomingHttpHeaders } from 'node:http';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { writeWithOthers } from '../joint-writes.ts';
import { AnswerReader, type AnswerSink } from './http-answer.ts';
import type { UpstreamCall, UpstreamHandler } from './upstream.ts';

export interface Target {
  host: string;
  port: number;
  tls: boolean;
}

/** Told when a connection is free for another request, and when it is gone. */
export interface ConnectionOwner {
  onFree(connection: EngineConnection): void;
  onGone(connection: EngineConnection): void;
}

/** Where all sockets are read into, one after the other: what is kept is copied. Else Node makes a buffer of 64 KB for each read. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
/** A request that is smaller goes out in one piece with its head: one buffer is written with less ado than two. */
const ONE_PIECE_BYTES = 16 * 1024;
const TCP_KEEP_ALIVE_MS = 60_000;
/** An engine that does not say keeps an idle connection for 5 s or longer (uvicorn's default). */
const IDLE_MS = 4000;
/** An engine's own word is taken with a margin: a request must not meet the end of its connection. */
const IDLE_MARGIN_MS = 1000;

/** No connection was made with any of these. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT']);

export class EngineConnection implements AnswerSink {
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #reader = new AnswerReader(this);
  readonly #connectTimer: NodeJS.Timeout;
  #call: Call | null = null;
  #connected = false;
  #error: Error | null = null;
  /** Bytes have come, or need not come, since the last look. */
  #heard = true;
  #silentSinceMs = 0;
  /** Of the answer that is due, something has come. */
  #begun = false;
  #freeUntilMs = 0;

  constructor({ host, port, tls }: Target, connectTimeoutMs: number, owner: ConnectionOwner) {
    this.#owner = owner;
    const onread = {
      buffer: readBuffer,
      callback: (bytes: number) => {
        this.#read(bytes);
        return true;
      },
    };
    const options = { host, port, onread, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS };
    this.#socket = tls ? connectTls({ ...options, ...(isIP(host) === 0 && { servername: host }) }) : connectPlain(options);
    this.#connectTimer = setTimeout(() => this.#fail(timedOut(connectTimeoutMs)), connectTimeoutMs);
    this.#socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(this.#connectTimer);
      this.#connected = true;
      this.#heard = true;
    });
    this.#socket.on('error', (error) => {
      this.#error ??= error;
    });
    this.#socket.on('close', () => this.#gone());
  }

  send(head: string, body: Buffer, handler: UpstreamHandler): UpstreamCall {
    const call = new Call(this, handler);
    this.#call = call;
    this.#heard = true;
    this.#begun = false;
    this.#reader.next();
    const socket = this.#socket;
    writeWithOthers(socket);
    if (body.length <= ONE_PIECE_BYTES) {
      const bytes = Buffer.allocUnsafe(head.length + body.length);
      bytes.write(head, 'latin1');
      body.copy(bytes, head.length);
      socket.write(bytes);
    } else {
      socket.write(head, 'latin1');
      socket.write(body);
    }
    return call;
  }

  /** May it take a request now? */
  isFresh(nowMs: number): boolean {
    return nowMs < this.#freeUntilMs && !this.#socket.destroyed;
  }

  /** Called about as often as silence is measured exactly. @param maxSilenceMs 0 for any */
  look(nowMs: number, maxSilenceMs: number): void {
    if (this.#call === null) {
      if (nowMs >= this.#freeUntilMs) this.destroy();
    } else if (this.#heard || this.#socket.isPaused() || !this.#connected || (!this.#begun && this.#call.mayBeSilent())) {
      this.#heard = false;
      this.#silentSinceMs = nowMs;
    } else if (maxSilenceMs > 0 && nowMs - this.#silentSinceMs >= maxSilenceMs) {
      this.#fail(new Error(`it was silent for ${maxSilenceMs} ms`));
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#heard = true;
    this.#socket.resume();
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    this.#call?.onHead(status, headers);
  }

  onData(chunk: Buffer, isLast: boolean): void {
    this.#call?.onData(chunk, isLast);
  }

  #read(bytes: number): void {
    this.#heard = true;
    this.#begun = true;
    // What comes unasked is meant for nobody.
    if (this.#call === null) {
      this.destroy();
      return;
    }
    try {
      this.#reader.push(readBuffer, bytes);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (this.#reader.done) this.#end();
  }

  #end(): void {
    const call = this.#call!;
    this.#call = null;
    const { reusable, idleMs } = this.#reader;
    if (reusable && this.#socket.writableLength === 0 && !this.#socket.destroyed) {
      if (this.#socket.isPaused()) this.#socket.resume();
      this.#freeUntilMs = performance.now() + (idleMs === null ? IDLE_MS : Math.max(0, idleMs - IDLE_MARGIN_MS));
      this.#owner.onFree(this);
    } else {
      this.destroy();
    }
    call.end();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.destroy();
  }

  #gone(): void {
    clearTimeout(this.#connectTimer);
    this.#owner.onGone(this);
    const call = this.#call;
    this.#call = null;
    if (!call) return;
    if (!this.#error && this.#reader.finish()) {
      call.end();
      return;
    }
    const error = this.#error ?? new Error('it closed the connection');
    call.fail(error, !this.#connected && NEVER_SENT.has((error as NodeJS.ErrnoException).code ?? ''));
  }
}

class Call implements UpstreamCall {
  #connection: EngineConnection | null;
  readonly #handler: UpstreamHandler;
  #aborted = false;

  constructor(connection: EngineConnection, handler: UpstreamHandler) {
    this.#connection = connection;
    this.#handler = handler;
  }

  mayBeSilent(): boolean {
    return this.#handler.mayBeSilent();
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  abort(): void {
    this.#aborted = true;
    this.#connection?.destroy();
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    if (!this.#aborted) this.#handler.onHead(status, headers);
  }

  onData(chunk: Buffer, isLast: boolean): void {
    if (!this.#aborted) this.#handler.onData(chunk, isLast);
  }

  end(): void {
    this.#connection = null;
    if (this.#aborted) this.#handler.onFailure(new Error('aborted'), false);
    else this.#handler.onEnd();
  }

  fail(error: Error, neverSent: boolean): void {
    this.#connection = null;
    this.#handler.onFailure(this.#aborted ? new Error('aborted') : error, neverSent && !this.#aborted);
  }
}

function timedOut(afterMs: number): Error {
  return Object.assign(new Error(`no connection within ${afterMs} ms`), { code: 'ETIMEDOUT' });
}
