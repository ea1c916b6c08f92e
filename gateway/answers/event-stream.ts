/**
 * An engine's stream of server-sent events on its way through: counts what comes, finds the usage and the end, and takes out the usage
 * chunk that only we asked for. Only whole events are passed on, each as the bytes that came. Source: WHATWG HTML, "Server-sent events".
 */
import { type Usage, usageOf } from './usage.ts';

/** An event that is longer is no chunk of a completion. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024;

const USAGE_KEY = Buffer.from('"usage"');
const DONE = Buffer.from('[DONE]');
/** How engines report a failure in a stream that has begun. */
const ERROR = Buffer.from('{"error"');
const NOTHING = Buffer.alloc(0);
const LF = 0x0a;
const CR = 0x0d;

export interface Passed {
  /** What may be sent on now; null for nothing. */
  bytes: Buffer | null;
  /** Events in it that carry output. */
  outputs: number;
}

/** Whole events out of bytes as they come. */
export class EventBuffer {
  /** What has come of an event that has no end yet, with room behind it: joined with each piece anew, long ones would take their square. */
  #tail: Buffer = NOTHING;
  #length = 0;

  /** The events that are whole now; null for none. @throws when an event has no end */
  push(chunk: Buffer): Buffer | null {
    const known = this.#length;
    const bytes = known === 0 ? chunk : this.#joined(chunk);
    const end = endOfLastEvent(bytes, known);
    const left = bytes.length - end;
    if (left > MAX_EVENT_BYTES) throw new Error(`an event of its stream exceeds ${MAX_EVENT_BYTES} bytes`);
    this.#length = left;
    if (left === 0) this.#tail = NOTHING;
    // A view has no room behind it: what is handed on is not written to any more.
    else if (end > 0 || known === 0) this.#tail = bytes.subarray(end);
    return end === 0 ? null : bytes.subarray(0, end);
  }

  /** What came after the last whole event. */
  rest(): Buffer | null {
    const rest = this.#length === 0 ? null : this.#tail.subarray(0, this.#length);
    this.#tail = NOTHING;
    this.#length = 0;
    return rest;
  }

  #joined(chunk: Buffer): Buffer {
    const length = this.#length + chunk.length;
    if (length > this.#tail.length) {
      const roomier = Buffer.allocUnsafe(Math.max(length, Math.min(2 * this.#length, MAX_EVENT_BYTES)));
      this.#tail.copy(roomier, 0, 0, this.#length);
      this.#tail = roomier;
    }
    chunk.copy(this.#tail, this.#length);
    return this.#tail.subarray(0, length);
  }
}

export class EventStream {
  readonly #hideUsage: boolean;
  readonly #events = new EventBuffer();
  #usage: Usage | null = null;
  #done = false;
  #failed = false;

  /** @param hideUsage the client did not ask for the usage chunk */
  constructor(hideUsage: boolean) {
    this.#hideUsage = hideUsage;
  }

  /** What the engine said of its tokens. */
  get usage(): Usage | null {
    return this.#usage;
  }

  /** `[DONE]` has come: the stream ended as it should. */
  get done(): boolean {
    return this.#done;
  }

  /** The engine reported an error in it. */
  get failed(): boolean {
    return this.#failed;
  }

  /** @throws when an event has no end */
  push(chunk: Buffer): Passed {
    const events = this.#events.push(chunk);
    return events === null ? { bytes: null, outputs: 0 } : this.#inspect(events);
  }

  /** What came after the last whole event; only of a stream that ended well. */
  rest(): Buffer | null {
    return this.#events.rest();
  }

  #inspect(events: Buffer): Passed {
    const first = firstSpecial(events);
    if (first === -1) return { bytes: events, outputs: countData(events) };
    // Where many come together the last of them are special, and only those are looked at one by one.
    const plain = events.subarray(0, endOfLastEvent(events.subarray(0, first), 0));
    const kept: Buffer[] = plain.length > 0 ? [plain] : [];
    let outputs = countData(plain);
    for (const event of splitEvents(events.subarray(plain.length))) {
      if (this.#done) break; // what follows is meant for nobody
      const kind = this.#classify(event);
      if (kind === 'output') outputs += 1;
      if (kind !== 'usage' || !this.#hideUsage) kept.push(event);
    }
    const bytes = kept.length === 0 ? null : kept.length === 1 ? kept[0]! : Buffer.concat(kept);
    return { bytes, outputs };
  }

  #classify(event: Buffer): 'output' | 'usage' | 'other' {
    const data = dataOf(event.toString('utf8'));
    if (data === null) return 'other';
    if (data === '[DONE]') {
      this.#done = true;
      return 'other';
    }
    if (data.startsWith('{"error"')) {
      this.#failed = true;
      return 'other';
    }
    if (!data.includes('"usage"')) return 'output';
    let chunk: unknown;
    try {
      chunk = JSON.parse(data);
    } catch {
      return 'output';
    }
    const usage = usageOf(chunk);
    if (!usage) return 'output';
    this.#usage = usage;
    const { choices } = chunk as { choices?: unknown };
    return Array.isArray(choices) && choices.length > 0 ? 'output' : 'usage';
  }
}

/** Where the first thing is that makes an event more than output; -1 for nowhere. */
function firstSpecial(events: Buffer): number {
  let first = -1;
  for (const mark of [USAGE_KEY, DONE, ERROR]) {
    const at = events.indexOf(mark);
    if (at !== -1 && (first === -1 || at < first)) first = at;
  }
  return first;
}

/** The position behind the last blank line, which ends an event; 0 where there is none. @param from none ends before */
function endOfLastEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.lastIndexOf(LF); at > 0 && at >= from; at = bytes.lastIndexOf(LF, at - 1)) {
    if (endsEvent(bytes, at)) return at + 1;
  }
  return 0;
}

/** Is the line feed at this position that of a blank line? */
function endsEvent(bytes: Buffer, at: number): boolean {
  if (bytes[at - 1] === LF) return true;
  return at >= 2 && bytes[at - 1] === CR && bytes[at - 2] === LF;
}

/** One by one. @param events whole ones */
export function splitEvents(events: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = events.indexOf(LF); at !== -1; at = events.indexOf(LF, at + 1)) {
    if (at > 0 && endsEvent(events, at)) {
      parts.push(events.subarray(start, at + 1));
      start = at + 1;
    }
  }
  return parts;
}

const DATA = Buffer.from('data:');

/** Events with data, counted by lines that begin with `data:`. */
function countData(events: Buffer): number {
  let count = 0;
  for (let at = events.indexOf(DATA); at !== -1; at = events.indexOf(DATA, at + DATA.length)) {
    if (at === 0 || events[at - 1] === LF) count += 1;
  }
  return count;
}

/** The data of one event; null for comments and other fields alone. */
export function dataOf(event: string): string | null {
  const lines = event.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  if (lines.length === 0) return null;
  return lines.map((line) => line.slice(line[5] === ' ' ? 6 : 5)).join('\n');
}
