/** The fields of a request's body that the gateway reads: found in one walk over its bytes, made values of when they are asked for. */
import { isUtf8 } from 'node:buffer';
import { invalidField, malformedJson, RequestError, valueTooLarge } from '../errors.ts';
import { JsonError, JsonScanner, type Span, type TextSpan, valueAt } from './json-scan.ts';
import { type Messages, type PromptList, scanMessages, scanPrompt } from './prompt-scan.ts';

/** All others pass unread. */
const READ = new Set([
  'model',
  'stream',
  'stream_options',
  'n',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'tools',
  'priority',
  'messages',
  'prompt',
  'input',
]);
/** Names, numbers and options are never so long; prompts and messages are walked over. */
const MAX_VALUE_BYTES = 64 * 1024;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** Of null. */
const LETTER_N = 0x6e;

export class RequestFields {
  readonly body: Buffer;
  readonly #spans = new Map<string, Span>();
  #messages: Messages | null = null;
  /** Of the fields that hold a prompt. */
  readonly #prompts = new Map<string, TextSpan | PromptList | null>();

  /** @throws RequestError 400 for what is not a JSON object in UTF-8 */
  constructor(body: Buffer) {
    this.body = body;
    // A parser takes other bytes for something, and an engine's may take them for something else. Source: RFC 8259, section 8.1.
    if (!isUtf8(body)) throw new RequestError(malformedJson('it is not UTF-8'));
    const scanner = new JsonScanner(body);
    try {
      if (scanner.isObject()) scanner.object((key) => this.#pass(scanner, key));
      else refuseOther(body, scanner);
      scanner.end();
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      // Where it broke, never what stood there, which may be the prompt.
      const { position } = error;
      throw new RequestError(malformedJson(position === null ? 'it ends too early' : `it does not parse at position ${position}`));
    }
  }

  /** The messages; null where there are none, or others than a list of objects. */
  get messages(): Messages | null {
    return this.#messages;
  }

  /** Where the value lies; null where it has none. */
  span(name: string): Span | null {
    return this.#spans.get(name) ?? null;
  }

  /** Of a field that holds a prompt; null where it is none. */
  prompt(name: string): TextSpan | PromptList | null {
    return this.#prompts.get(name) ?? null;
  }

  /** Is it absent, or null? */
  hasNone(name: string): boolean {
    const span = this.#spans.get(name);
    return !span || this.body[span.start] === LETTER_N;
  }

  /** Of a field that is read as a whole. @throws RequestError 400 where it is larger than any such field: made a value of it could take all memory */
  value(name: string): unknown {
    const span = this.#spans.get(name);
    if (!span) return undefined;
    const bytes = span.end - span.start;
    if (bytes > MAX_VALUE_BYTES) throw new RequestError(valueTooLarge(name, bytes, MAX_VALUE_BYTES));
    return valueAt(this.body, span);
  }

  /** @throws RequestError 400 that names the field */
  checked<T>(name: string, is: (value: unknown) => value is T, allowed: string): T {
    const value = this.value(name);
    if (!is(value)) throw new RequestError(invalidField(name, value, allowed));
    return value;
  }

  /** Does it hold a list that is not empty? */
  hasItems(name: string): boolean {
    const span = this.#spans.get(name);
    if (!span || this.body[span.start] !== OPEN_BRACKET) return false;
    let at = span.start + 1;
    while (this.body[at]! <= 0x20) at += 1;
    return this.body[at] !== CLOSE_BRACKET;
  }

  #pass(scanner: JsonScanner, key: string): void {
    scanner.next();
    const start = scanner.at;
    if (key === 'messages') this.#messages = scanMessages(scanner);
    else if (key === 'prompt' || key === 'input') this.#prompts.set(key, scanPrompt(scanner));
    else scanner.value();
    if (READ.has(key)) this.#spans.set(key, { start, end: scanner.at });
  }
}

function refuseOther(body: Buffer, scanner: JsonScanner): never {
  const kind = scanner.isList() ? 'list' : scanner.isString() ? 'string' : null;
  const span = scanner.value();
  scanner.end();
  throw new RequestError(malformedJson(`it is a ${kind ?? typeof valueAt(body, span)}`));
}
