/**
 * Comments for streams that wait long for their first byte, in the queue or for the engine, so that no proxy between takes them for dead.
 * What that costs: with the first comment the status is 200, so that whatever fails later is told by an error event, and what the headers
 * would have said of the replica is told by comments. Trying another replica stays possible, as nothing of an answer is out.
 * Source: WHATWG HTML, "Server-sent events", section "Authoring notes": a comment every 15 seconds or so.
 */
import { PassingMap } from '../../core/scheduler/passing-map.ts';
import { errorBody, upstreamFailed } from '../errors.ts';

export const KEEP_ALIVE_COMMENT = ': keep-alive\n\n';

/** The head of a stream of which no engine has said anything yet. nginx holds events back unless told not to. */
export const EARLY_HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
} as const;

/** What is longer is no error. */
export const MAX_LATE_ERROR_BYTES = 1024 * 1024;

interface Waiting {
  /** @returns false once there is no need any more */
  stayAlive(): boolean;
}

export class KeepAlive {
  readonly #everyMs: number;
  /** When each is due. All wait equally long: the first of them is due first. */
  readonly #due = new PassingMap<Waiting, number>();

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  add(waiting: Waiting, nowMs: number): void {
    this.#due.set(waiting, nowMs + this.#everyMs);
  }

  delete(waiting: Waiting): void {
    this.#due.delete(waiting);
  }

  /** Called a few times a second. */
  beat(nowMs: number): void {
    // Who still waits goes behind all others, and the next is the first.
    for (let [waiting] = this.#due.keys(); waiting && this.#due.get(waiting)! <= nowMs; [waiting] = this.#due.keys()) {
      this.#due.delete(waiting);
      if (waiting.stayAlive()) this.add(waiting, nowMs);
    }
  }
}

/** Headers that came too late for the head, as comments. */
export function commentsOf(headers: Readonly<Record<string, string>>): string {
  return `${Object.entries(headers)
    .map(([name, value]) => `: ${name}: ${value}\n`)
    .join('')}\n`;
}

/** What an engine answered as a whole to a request whose stream has begun: its error as an event, without `[DONE]`. */
export function lateErrorEvent(status: number, body: Buffer): string {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString('utf8'));
  } catch {
    // told below
  }
  const isError = typeof (answer as { error?: unknown } | null | undefined)?.error === 'object';
  return `data: ${isError ? JSON.stringify(answer) : errorBody(upstreamFailed(`it answers a stream with status ${status} and no events`))}\n\n`;
}
