/** The answer of an engine that speaks OpenAI's API, as it comes: a stream of events, or a whole. */
import type { IncomingHttpHeaders } from 'node:http';
import type { CompletionRequest } from '../body/request.ts';
import type { EngineAnswer } from '../engines/dialect.ts';
import { EventStream, type Passed } from './event-stream.ts';
import { type Usage, usageOfWhole } from './usage.ts';

/** A whole answer is kept to read its usage at the end, up to this length. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

const EVENTS = 'text/event-stream';

export class Answer implements EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly #events: EventStream | null;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #firstTokenMs: number | null = null;
  #lastTokenMs = 0;
  #outputs = 0;
  #usageOfWhole: Usage | null | undefined;

  constructor(status: number, headers: IncomingHttpHeaders, { streamed, wantsUsage }: Pick<CompletionRequest, 'streamed' | 'wantsUsage'>) {
    this.status = status;
    const type = String(headers['content-type'] ?? '').toLowerCase();
    const isEvents = type.startsWith(EVENTS);
    // Some engines do not say what they send, or say it otherwise; where JSON comes to who asked for a stream it is a whole answer.
    const streams = status === 200 && (isEvents || (streamed && !type.includes('json')));
    this.headers = streams && !isEvents ? { ...headers, 'content-type': EVENTS } : headers;
    this.#events = streams ? new EventStream(!wantsUsage) : null;
  }

  get isStream(): boolean {
    return this.#events !== null;
  }

  get complete(): boolean {
    return this.#events?.done ?? false;
  }

  get firstTokenMs(): number | null {
    return this.#firstTokenMs;
  }

  get lastTokenMs(): number {
    return this.#lastTokenMs;
  }

  outputTokens(usage: Usage | null): number | null {
    return usage?.completionTokens ?? (this.#outputs > 0 ? this.#outputs : null);
  }

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

  end(): { verdict: 'ok' | 'failed' | 'rejected' | 'cut-off'; rest: Buffer | null } {
    if (!this.#events) return { verdict: this.status >= 500 ? 'failed' : this.status >= 400 ? 'rejected' : 'ok', rest: null };
    // What the engine says itself of its failure is the end of its stream.
    if (!this.#events.done) return { verdict: this.#events.failed ? 'failed' : 'cut-off', rest: null };
    return { verdict: this.#events.failed ? 'failed' : 'ok', rest: this.#events.rest() };
  }

  usage(): Usage | null {
    if (this.#events) return this.#events.usage;
    if (this.status !== 200 || this.#kept.length === 0) return null;
    if (this.#usageOfWhole === undefined) {
      this.#usageOfWhole = usageOfWhole(this.#kept.length === 1 ? this.#kept[0]! : Buffer.concat(this.#kept));
    }
    return this.#usageOfWhole;
  }
}
