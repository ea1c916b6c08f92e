/**
 * The events of Triton's vLLM backend as an answer of OpenAI's API. Each event has the text and the output tokens since the last one, the
 * prompt's tokens, and a finish reason that is the word `None` until there is one; a failure is an event `{ "error": ... }`, at any time.
 */

import { dataOf, EventBuffer, type Passed, splitEvents } from '../answers/event-stream.ts';
import { count, type Usage } from '../answers/usage.ts';
import { engineRejected, errorBody, upstreamFailed } from '../errors.ts';
import type { Asked, EngineAnswer } from './dialect.ts';
import { AnswerWriter, DONE } from './openai-answer.ts';

/** How vLLM says that an answer did not end by itself. Source: vllm/v1/engine/__init__.py, FinishReason. */
const FAILURES = new Set(['abort', 'error']);
const MAX_ERROR_BYTES = 64 * 1024;

interface TritonEvent {
  text_output?: unknown;
  finish_reason?: unknown;
  num_input_tokens?: unknown;
  num_output_tokens?: unknown;
  error?: unknown;
}

export class TritonAnswer implements EngineAnswer {
  readonly status: number;
  readonly headers: EngineAnswer['headers'];
  readonly isStream: boolean;
  readonly #wantsUsage: boolean;
  readonly #writer: AnswerWriter;
  readonly #events = new EventBuffer();
  readonly #usage: Usage = { promptTokens: null, completionTokens: null };
  #refused = '';
  #text = '';
  #begun = false;
  #finishReason: string | null = null;
  #firstTokenMs: number | null = null;
  #lastTokenMs = 0;

  /** @param status Triton's: 400 is told to the client, any other failure is the engine's */
  constructor(status: number, { request, requestId, acceptedAtMs }: Asked) {
    this.status = status === 200 || status === 400 ? status : 502;
    this.isStream = status === 200 && request.streamed;
    this.headers = { 'content-type': this.isStream ? 'text/event-stream; charset=utf-8' : 'application/json' };
    this.#wantsUsage = request.wantsUsage;
    this.#writer = new AnswerWriter(request.endpoint, requestId, acceptedAtMs, request.model, request.streamed);
  }

  get complete(): boolean {
    return this.#finishReason !== null;
  }

  get firstTokenMs(): number | null {
    return this.#firstTokenMs;
  }

  get lastTokenMs(): number {
    return this.#lastTokenMs;
  }

  outputTokens(usage: Usage | null): number | null {
    return usage?.completionTokens ?? null;
  }

  usage(): Usage | null {
    return this.#usage.completionTokens === null ? null : this.#usage;
  }

  push(chunk: Buffer, nowMs: number): Passed {
    if (this.status !== 200) {
      if (this.#refused.length < MAX_ERROR_BYTES) this.#refused += chunk.toString('utf8');
      return { bytes: null, outputs: 0 };
    }
    const events = this.#events.push(chunk);
    if (events === null) return { bytes: null, outputs: 0 };
    let chunks = '';
    let outputs = 0;
    for (const event of splitEvents(events)) {
      const data = dataOf(event.toString('utf8'));
      if (data === null) continue;
      const read = this.#read(data);
      chunks += read.chunks;
      outputs += read.outputs;
    }
    if (outputs > 0 && this.isStream) {
      this.#lastTokenMs = nowMs;
      this.#firstTokenMs ??= nowMs;
    }
    return { bytes: this.isStream && chunks !== '' ? Buffer.from(chunks) : null, outputs };
  }

  end(): ReturnType<EngineAnswer['end']> {
    if (this.status !== 200) {
      const error = this.status === 400 ? engineRejected(errorIn(this.#refused)) : upstreamFailed(errorIn(this.#refused));
      return { verdict: this.status === 400 ? 'rejected' : 'failed', rest: Buffer.from(errorBody(error)) };
    }
    if (this.#finishReason === null) return { verdict: 'cut-off', rest: null };
    const rest = this.isStream
      ? (this.#wantsUsage ? this.#writer.usage(this.#usage) : '') + DONE
      : this.#writer.whole(this.#text, this.#finishReason, this.#usage);
    return { verdict: 'ok', rest: Buffer.from(rest) };
  }

  #read(data: string): { chunks: string; outputs: number } {
    const event = parseEvent(data);
    if (event.error !== undefined) throw new Error(String(event.error));
    const { text_output: text, finish_reason: reason, num_input_tokens: input, num_output_tokens: output } = event;
    if (typeof text !== 'string') throw new Error('an event of its stream has no text_output');
    if (typeof reason === 'string' && FAILURES.has(reason)) throw new Error(`it gave the request up (${reason})`);
    this.#usage.promptTokens = count(input) ?? this.#usage.promptTokens;
    const outputs = count(output) ?? 1;
    this.#usage.completionTokens = (this.#usage.completionTokens ?? 0) + outputs;
    const opening = this.#begun ? '' : this.#writer.opening();
    this.#begun = true;
    if (!this.isStream) this.#text += text;
    let chunks = opening + (text === '' ? '' : this.#writer.text(text));
    if (typeof reason === 'string' && reason !== 'None' && reason !== '') {
      this.#finishReason = reason;
      chunks += this.#writer.finish(reason);
    }
    return { chunks, outputs };
  }
}

function parseEvent(data: string): TritonEvent {
  try {
    const event: unknown = JSON.parse(data);
    if (typeof event === 'object' && event !== null) return event;
  } catch {
    // told below
  }
  throw new Error('an event of its stream is no JSON object');
}

/** From `{"error":"..."}`, which may come as an event. */
function errorIn(body: string): string {
  const text = (dataOf(body) ?? body).trim();
  try {
    return String((JSON.parse(text) as { error: unknown }).error);
  } catch {
    return text.slice(0, 200) || 'it gives no reason';
  }
}
