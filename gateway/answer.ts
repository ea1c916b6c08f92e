/** An engine's answer as it comes: a stream of events, or a whole. Knows when tokens came, how many, and whether it ended as it should. */
import type { IncomingHttpHeaders } from 'node:http';
import { EventStream, type Passed } from './event-stream.ts';
import { type Usage, usageOfText } from './usage.ts';

/** A whole answer is kept to read its usage at the end, up to this length. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

export class Answer {
  readonly status: number;
  readonly #events: EventStream | null;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #firstTokenMs: number | null = null;
  #lastTokenMs = 0;
  #outputs = 0;
  #usageOfWhole: Usage | null | undefined;

  /** @param hideUsage the client did not ask for the usage chunk of a stream */
  constructor(status: number, headers: IncomingHttpHeaders, hideUsage: boolean) {
    this.status = status;
    const streams = status === 200 && String(headers['content-type'] ?? '').startsWith('text/event-stream');
    this.#events = streams ? new EventStream(hideUsage) : null;
  }

  get isStream(): boolean {
    return this.#events !== null;
  }

  /** When the first token came, on the monotonic clock; null before, and for a whole answer. */
  get firstTokenMs(): number | null {
    return this.#firstTokenMs;
  }

  get lastTokenMs(): number {
    return this.#lastTokenMs;
  }

  /** Output tokens: as the engine reports them, else as events were counted; null where neither tells. */
  outputTokens(usage: Usage | null): number | null {
    return usage?.completionTokens ?? (this.#outputs > 0 ? this.#outputs : null);
  }

  /** Bytes have come. Says what may go on to the client, and how many tokens came. @throws for a stream that is none */
  push(chunk: Buffer, nowMs: number): Passed {
    if (!this.#events) {
      this.#keptBytes += chunk.length;
      if (this.#keptBytes <= MAX_KEPT_BYTES) this.#kept.push(chunk);
      else this.#kept = [];
      return { bytes: chunk, outputs: 0 };
    }
    const passed = this.#events.push(chunk);
    if (passed.outputs > 0) {
      this.#lastTokenMs = nowMs;
      this.#firstTokenMs ??= nowMs;
      this.#outputs += passed.outputs;
    }
    return passed;
  }

  /** It has ended: how? `cut-off`: a stream without its last event. */
  end(): { verdict: 'ok' | 'failed' | 'rejected' | 'cut-off'; rest: Buffer | null } {
    if (!this.#events) return { verdict: this.status >= 500 ? 'failed' : this.status >= 400 ? 'rejected' : 'ok', rest: null };
    if (!this.#events.done) return { verdict: 'cut-off', rest: null };
    return { verdict: this.#events.failed ? 'failed' : 'ok', rest: this.#events.rest() };
  }

  /** What the engine said of its tokens. */
  usage(): Usage | null {
    if (this.#events) return this.#events.usage;
    if (this.status !== 200 || this.#kept.length === 0) return null;
    if (this.#usageOfWhole === undefined) this.#usageOfWhole = usageOfText(Buffer.concat(this.#kept).toString('utf8'));
    return this.#usageOfWhole;
  }
}
