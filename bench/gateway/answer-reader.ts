/**
 * Reads HTTP/1.1 answers off a connection as cheaply as JavaScript can, and sees whether each is whole: the tokens' marks are counted in the
 * body without its chunking, and the end of the body is kept. Source: RFC 9112, sections 6 and 7.
 */
import { MARK } from './engine-answers.ts';

const MARK_BYTE = MARK.charCodeAt(0);
const LF = 10;
const SEMICOLON = 59;
/** Bytes at the end of a body that are kept. */
const TAIL = 24;

type State = 'head' | 'body' | 'size' | 'data' | 'data-end' | 'trailer';

export class AnswerReader {
  status = 0;
  /** Tokens so far. */
  marks = 0;
  /** The server closes the connection after this answer. */
  closes = false;
  #state: State = 'head';
  #head = '';
  /** Bytes of the body, or of this chunk, that are still to come. */
  #left = 0;
  #size = '';
  #lineLength = 0;
  #tail = '';

  /** Forgets the answer that it has read. */
  reset(): void {
    this.status = 0;
    this.marks = 0;
    this.closes = false;
    this.#state = 'head';
    this.#head = '';
    this.#tail = '';
  }

  /** The body's end. */
  get tail(): string {
    return this.#tail;
  }

  /** @returns true once the answer is complete; nothing may come after it, for there is no pipelining */
  feed(bytes: Buffer): boolean {
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case 'head':
          at = this.#readHead(bytes);
          if (at === -1) return false;
          if (this.#isEmpty()) return true;
          break;
        case 'body':
        case 'data': {
          const end = Math.min(bytes.length, at + this.#left);
          this.#scan(bytes, at, end);
          this.#left -= end - at;
          at = end;
          if (this.#left > 0) return false;
          if (this.#state === 'body') return true;
          this.#state = 'data-end';
          break;
        }
        case 'size': {
          const lf = bytes.indexOf(LF, at);
          this.#size += bytes.toString('latin1', at, lf === -1 ? bytes.length : lf);
          if (lf === -1) return false;
          at = lf + 1;
          this.#left = sizeOf(this.#size);
          this.#size = '';
          this.#lineLength = 0;
          this.#state = this.#left === 0 ? 'trailer' : 'data';
          break;
        }
        case 'data-end':
          if (bytes[at] === LF) this.#state = 'size';
          at += 1;
          break;
        case 'trailer': {
          // An empty line ends it.
          const byte = bytes[at]!;
          at += 1;
          if (byte === LF && this.#lineLength === 0) return true;
          if (byte === LF) this.#lineLength = 0;
          else if (byte !== 13) this.#lineLength += 1;
          break;
        }
      }
    }
    return false;
  }

  /** @returns where the body begins in these bytes, or -1 where the head has not ended */
  #readHead(bytes: Buffer): number {
    const before = this.#head.length;
    this.#head += bytes.toString('latin1');
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1) return -1;
    const head = this.#head.slice(0, end + 2).toLowerCase();
    this.status = Number(head.slice(9, 12));
    this.closes = head.includes('\r\nconnection: close\r\n');
    if (/\r\ntransfer-encoding: *chunked\r\n/.test(head)) {
      this.#state = 'size';
    } else {
      this.#state = 'body';
      this.#left = Number(/\r\ncontent-length: *(\d+)\r\n/.exec(head)?.[1] ?? 0);
    }
    return end + 4 - before;
  }

  #isEmpty(): boolean {
    return this.#state === 'body' && this.#left === 0;
  }

  #scan(bytes: Buffer, from: number, to: number): void {
    let marks = 0;
    for (let i = from; i < to; i++) if (bytes[i] === MARK_BYTE) marks += 1;
    this.marks += marks;
    this.#tail =
      to - from >= TAIL ? bytes.toString('latin1', to - TAIL, to) : (this.#tail + bytes.toString('latin1', from, to)).slice(-TAIL);
  }
}

/** Of a chunk's first line: hexadecimal, with extensions after a semicolon. */
function sizeOf(line: string): number {
  let end = line.length;
  for (let i = 0; i < line.length; i++) {
    if (line.charCodeAt(i) !== SEMICOLON) continue;
    end = i;
    break;
  }
  return Number.parseInt(line.slice(0, end), 16);
}
