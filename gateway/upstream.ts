/**
 * Connections to one engine. The smallest interface that relaying needs, over undici's raw dispatch: no streams, no promises and no copies
 * between the engine's socket and the client's.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, Pool } from 'undici';

export interface UpstreamHandler {
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onData(chunk: Buffer): void;
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

const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

export class Upstream {
  readonly endpoint: string;
  readonly #pool: Pool;
  readonly #pathPrefix: string;
  readonly #connectTimeoutMs: number;
  /** To the engine's other port: the same for as long as this lives. */
  #side: Pool | null = null;

  constructor(endpoint: string, { connectTimeoutMs, idleTimeoutMs }: UpstreamOptions) {
    const url = new URL(endpoint);
    this.endpoint = endpoint;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#pathPrefix = url.pathname.replace(/\/+$/, '');
    // One request a connection and as many connections as requests: nothing waits in here, where the scheduler cannot see it.
    this.#pool = new Pool(url.origin, {
      pipelining: 1,
      connect: { timeout: connectTimeoutMs },
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
    });
  }

  post(path: string, headers: Record<string, string>, body: Buffer, handler: UpstreamHandler): UpstreamCall {
    const call = new Call(handler);
    this.#pool.dispatch({ method: 'POST', path: this.#pathPrefix + path, headers, body }, call);
    return call;
  }

  /** A short question. Rejects when there is no answer in time; gives null for any status but 200, which is an answer too. */
  read(path: string, timeoutMs: number): Promise<string | null> {
    return read(this.#pool, this.#pathPrefix + path, timeoutMs);
  }

  /** The same at another port of the engine's. */
  readAt(url: string, timeoutMs: number): Promise<string | null> {
    const { origin, pathname } = new URL(url);
    this.#side ??= new Pool(origin, { connections: 1, connect: { timeout: this.#connectTimeoutMs } });
    return read(this.#side, pathname, timeoutMs);
  }

  /** Takes no more calls; those that are open go on to their end. */
  close(): void {
    this.#pool.close().catch(() => undefined);
    this.#side?.close().catch(() => undefined);
  }

  /** Ends the open calls too. */
  async destroy(): Promise<void> {
    await Promise.all([this.#pool, this.#side].map((pool) => pool?.destroy().catch(() => undefined)));
  }
}

async function read(pool: Pool, path: string, timeoutMs: number): Promise<string | null> {
  const { statusCode, body } = await pool.request({ method: 'GET', path, signal: AbortSignal.timeout(timeoutMs) });
  const text = await body.text();
  if (statusCode >= 500) throw new Error(`answers ${statusCode}`);
  return statusCode === 200 ? text : null;
}

/** One call as undici's handler. Until the request is about to be written there is nothing to abort: an abort is kept until then. */
class Call implements Dispatcher.DispatchHandler, UpstreamCall {
  readonly #handler: UpstreamHandler;
  #controller: Dispatcher.DispatchController | null = null;
  #aborted = false;

  constructor(handler: UpstreamHandler) {
    this.#handler = handler;
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort(new Error('aborted'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#aborted) controller.abort(new Error('aborted'));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status >= 200 && !this.#aborted) this.#handler.onHead(status, headers);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#aborted) this.#handler.onData(chunk);
  }

  onResponseEnd(): void {
    if (this.#aborted) this.#handler.onFailure(new Error('aborted'), false);
    else this.#handler.onEnd();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    this.#handler.onFailure(error, this.#controller === null && NEVER_SENT.has(code));
  }
}
