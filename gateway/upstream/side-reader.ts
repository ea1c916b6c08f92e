/** What is asked of an engine beside requests, as its metrics: seldom, of no length to speak of, over connections that nobody else has. */
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, get as httpsGet } from 'node:https';

const MAX_BYTES = 16 * 1024 * 1024;
/** Less than engines keep an idle connection for (uvicorn: 5 s): a question must not meet the end of one. */
const IDLE_MS = 4000;

export class SideReader {
  readonly #origin: string;
  readonly #agent: HttpAgent;
  readonly #get: typeof httpGet;
  #open = 0;
  #closed = false;

  constructor(origin: string) {
    const tls = origin.startsWith('https:');
    this.#origin = origin;
    this.#agent = new (tls ? HttpsAgent : HttpAgent)({ keepAlive: true, timeout: IDLE_MS });
    this.#get = tls ? httpsGet : httpGet;
  }

  /** Rejects when there is no answer in time, or one that the engine is to blame for; gives null for any other status but 200, which is an answer too. */
  read(path: string, timeoutMs: number): Promise<string | null> {
    if (this.#closed) return Promise.reject(new Error('it is not routed any more'));
    return new Promise((resolve, reject) => {
      const late = new AbortController();
      const { signal } = late;
      // When this process was held up its answer may lie in the socket: what has come is read first.
      const timer = setTimeout(() => setImmediate(() => late.abort()), timeoutMs).unref();
      const failed = (error: Error) => reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error);
      let hasAnswer = false;
      const asked = this.#get(this.#origin + path, { agent: this.#agent, signal }, (answer) => {
        hasAnswer = true;
        text(answer).then((body) => {
          const { statusCode = 0 } = answer;
          if (statusCode >= 500) reject(new Error(`answers ${statusCode}`));
          else resolve(statusCode === 200 ? body : null);
        }, failed);
      });
      this.#open += 1;
      asked.on('error', failed);
      asked.on('close', () => {
        clearTimeout(timer);
        this.#open -= 1;
        this.#endWhenClosed();
        // Where it wants to speak another protocol there is neither an answer nor an error.
        if (!hasAnswer) failed(new Error('it closed the connection without an answer'));
      });
    });
  }

  /** Takes no more questions; those that are open are answered still. */
  close(): void {
    this.#closed = true;
    this.#endWhenClosed();
  }

  /** Ends the open ones too. */
  destroy(): void {
    this.#closed = true;
    this.#agent.destroy();
  }

  #endWhenClosed(): void {
    if (this.#closed && this.#open === 0) this.#agent.destroy();
  }
}

async function text(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw new Error(`its answer exceeds ${MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
