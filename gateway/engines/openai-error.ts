/** What an engine says of a request that it does not serve: as it came where it has OpenAI's form, else its words in that form. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Passed } from '../answers/event-stream.ts';
import { engineRejected, errorBody, upstreamFailed } from '../errors.ts';
import type { EngineAnswer } from './dialect.ts';

/** What is longer says nothing to people. */
const MAX_ERROR_BYTES = 64 * 1024;
const MAX_WORDS = 500;
/** Where the engine does not say. */
const RETRY_AFTER_SECONDS = '1';

export class ErrorAnswer implements EngineAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly isStream = false;
  readonly complete = false;
  readonly firstTokenMs = null;
  readonly lastTokenMs = 0;
  #said: Buffer[] = [];
  #bytes = 0;

  readonly #words: string | null;

  /** @param status 400 or more; `words` stand for what the engine says, where that is not for the client */
  constructor(
    status: number,
    { 'content-length': _, 'content-encoding': __, ...headers }: IncomingHttpHeaders,
    words: string | null = null,
  ) {
    this.status = status;
    this.headers = { ...headers, 'content-type': 'application/json' };
    if ((status === 429 || status === 503) && headers['retry-after'] === undefined) this.headers['retry-after'] = RETRY_AFTER_SECONDS;
    this.#words = words;
  }

  outputTokens(): null {
    return null;
  }

  usage(): null {
    return null;
  }

  push(chunk: Buffer): Passed {
    this.#bytes += chunk.length;
    if (this.#bytes <= MAX_ERROR_BYTES) this.#said.push(chunk);
    else this.#said = [];
    return { bytes: null, outputs: 0 };
  }

  end(): ReturnType<EngineAnswer['end']> {
    const said = this.#words === null ? Buffer.concat(this.#said) : Buffer.from(this.#words);
    const rest = hasForm(said) ? said : Buffer.from(inForm(this.status, said.toString('utf8')));
    return { verdict: this.status >= 500 ? 'failed' : 'rejected', rest };
  }
}

function hasForm(body: Buffer): boolean {
  const { error } = parsed(body.toString('utf8'));
  return typeof error === 'object' && error !== null;
}

/** FastAPI says `detail`, older vLLM and TEI `message`, others plain text; pages of proxies say nothing. */
function inForm(status: number, body: string): string {
  const { error, message, detail } = parsed(body);
  const words = [error, message, detail].find((said) => typeof said === 'string') ?? (detail ? JSON.stringify(detail) : body.trim());
  const told = words === '' || words.startsWith('<') ? `status ${status}` : words.slice(0, MAX_WORDS);
  if (status >= 500) return errorBody(upstreamFailed(told));
  return errorBody({ ...engineRejected(told), status, ...(status === 429 && { type: 'rate_limit_error' }) });
}

function parsed(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // told by whoever asks
  }
  return {};
}
