/** HTTP to engines: short questions on connections that are not kept, so that none is open when an engine is asked to end. */
import { Agent, type Dispatcher, request } from 'undici';
import { messageOf, UellmError } from '../core/domain/errors.ts';

const QUESTION_TIMEOUT_MS = 3000;

/** Engines answer the first token of a long queue late: the caller's signal bounds a stream, not the connection. */
const dispatcher = new Agent({ pipelining: 0, connect: { timeout: QUESTION_TIMEOUT_MS }, headersTimeout: 0, bodyTimeout: 0 });

/** The body of a GET that answers 200 within 3 s. @throws unavailable with the status or the reason */
export async function fetchText(url: string): Promise<string> {
  try {
    const { statusCode, body } = await request(url, { dispatcher, signal: AbortSignal.timeout(QUESTION_TIMEOUT_MS) });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`answers ${statusCode} ${text.slice(0, 200)}`);
    return text;
  } catch (error) {
    throw new UellmError({ kind: 'unavailable', what: url, reason: messageOf(error) }, { cause: error });
  }
}

/** Posts JSON and returns the answer with its body still to be read. @throws unavailable where nobody answers */
export async function postJson(url: string, body: unknown, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
  try {
    return await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new UellmError({ kind: 'unavailable', what: url, reason: messageOf(error) }, { cause: error });
  }
}
