/**
 * Connections to one engine. The smallest interface that relaying needs, over connections of our own (`engine-connection.ts`): no streams,
 * no promises, one copy between the engine's socket and the client's. What is asked seldom goes by `side-reader.ts`.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type ConnectionOwner, EngineConnection, type Target } from './engine-connection.ts';
import { SideReader } from './side-reader.ts';

export interface UpstreamHandler {
  /** Before anything has come: is its silence no sign of anything? Asked now and then. */
  mayBeSilent(): boolean;
  onHead(status: number, headers: IncomingHttpHeaders): void;
  /** @param isLast `onEnd` follows at once */
  onData(chunk: Buffer, isLast: boolean): void;
  /** The answer is whole. Nothing follows. */
  onEnd(): void;
  /** It broke, or was aborted. Nothing follows. `neverSent`: no connection was made, so that the engine knows nothing of the request. */
  onFailure(error: Error, neverSent: boolean): void;
}

export interface UpstreamCall {
  pause(): void;
  resume(): void;
  /** Ends the call; the engine sees its connection close. `onFailure` follows, once the connection is gone or was never made. */
  abort(): void;
}

export interface UpstreamOptions {
  connectTimeoutMs: number;
  /** Longest silence of an engine, before its headers or within its answer. 0 waits for ever. */
  idleTimeoutMs: number;
}

/** How exactly silence is measured, at the coarsest. */
const LOOK_EVERY_MS = 1000;

export class Upstream implements ConnectionOwner {
  readonly endpoint: string;
  readonly #target: Target;
  readonly #host: string;
  readonly #beside: SideReader;
  readonly #pathPrefix: string;
  readonly #connectTimeoutMs: number;
  readonly #idleTimeoutMs: number;
  /** One request a connection and as many connections as requests: nothing waits in here, where the scheduler cannot see it. */
  readonly #connections = new Set<EngineConnection>();
  /** Those without a request; the one that was used last comes last and is taken first. */
  readonly #free: EngineConnection[] = [];
  #watch: NodeJS.Timeout | undefined;
  #closed = false;
  /** To the engine's other port: the same for as long as this lives. */
  #besideElsewhere: SideReader | null = null;

  constructor(endpoint: string, { connectTimeoutMs, idleTimeoutMs }: UpstreamOptions) {
    const url = new URL(endpoint);
    const tls = url.protocol === 'https:';
    this.endpoint = endpoint;
    this.#target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (tls ? 443 : 80), tls };
    this.#host = url.host;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#pathPrefix = url.pathname.replace(/\/+$/, '');
    this.#beside = new SideReader(url.origin);
  }

  /** @param headers names and values as a parser of HTTP let them through: they are not looked at again */
  post(path: string, headers: Record<string, string>, body: Buffer, handler: UpstreamHandler): UpstreamCall {
    if (this.#closed) {
      process.nextTick(() => handler.onFailure(new Error('it is not routed any more'), true));
      return NO_CALL;
    }
    let head = `POST ${this.#pathPrefix}${path} HTTP/1.1\r\nhost: ${this.#host}\r\nconnection: keep-alive\r\n`;
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
    return this.#connection().send(`${head}content-length: ${body.length}\r\n\r\n`, body, handler);
  }

  /** A short question. Rejects when there is no answer in time; gives null for any status but 200, which is an answer too. */
  read(path: string, timeoutMs: number): Promise<string | null> {
    return this.#beside.read(this.#pathPrefix + path, timeoutMs);
  }

  /** The same at another port of the engine's. */
  readAt(url: string, timeoutMs: number): Promise<string | null> {
    const { origin, pathname } = new URL(url);
    this.#besideElsewhere ??= new SideReader(origin);
    return this.#besideElsewhere.read(pathname, timeoutMs);
  }

  onFree(connection: EngineConnection): void {
    if (this.#closed) connection.destroy();
    else this.#free.push(connection);
  }

  onGone(connection: EngineConnection): void {
    this.#connections.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at !== -1) this.#free.splice(at, 1);
    if (this.#connections.size > 0) return;
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  /** Takes no more calls; those that are open go on to their end. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#free.splice(0)) connection.destroy();
    this.#beside.close();
    this.#besideElsewhere?.close();
  }

  /** Ends the open calls too. */
  destroy(): void {
    this.#closed = true;
    for (const connection of this.#connections) connection.destroy();
    this.#beside.destroy();
    this.#besideElsewhere?.destroy();
  }

  #connection(): EngineConnection {
    const nowMs = performance.now();
    for (let known = this.#free.pop(); known; known = this.#free.pop()) {
      if (known.isFresh(nowMs)) return known;
      known.destroy();
    }
    const connection = new EngineConnection(this.#target, this.#connectTimeoutMs, this);
    this.#connections.add(connection);
    // One timer for all, not one for each request.
    this.#watch ??= setInterval(() => this.#look(), Math.min(LOOK_EVERY_MS, this.#idleTimeoutMs / 4 || LOOK_EVERY_MS)).unref();
    return connection;
  }

  #look(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.look(nowMs, this.#idleTimeoutMs);
  }
}

/** Of a request that was never sent. */
const NO_CALL: UpstreamCall = { pause: () => undefined, resume: () => undefined, abort: () => undefined };
