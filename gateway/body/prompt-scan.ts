/** Prompts where they lie in a request's body: how long they are, and of their text no more than is looked at. */
import { LOOKED_AT_HEAD, LOOKED_AT_TAIL } from '../../core/profiler/text/sketch.ts';
import type { JsonScanner, Span, TextSpan } from './json-scan.ts';

/** How long the texts are. */
export interface TextSize {
  characters: number;
  /** As they are written in the body. */
  bytes: number;
}

/** What a message says. */
export interface Content extends TextSize {
  /** Of a content in parts: null for a part that is no text, and once for those in the middle of very many. */
  texts: readonly (TextSpan | null)[];
}

export interface Message extends Content {
  /** As JSON. */
  role: Span | null;
}

/** Sizes are of all of them, also of those in the middle of very many, for which one without a text stands. */
export interface Messages extends TextSize {
  list: readonly Message[];
}

/** A prompt that is a list: of texts, of token ids, or of lists of those. */
export interface PromptList extends TextSize {
  /** Each is answered. */
  prompts: number;
  tokens: number;
  /** The first, where they are texts. */
  first: TextSpan | null;
}

/** Text as a sketch takes it: its characters, and of a long one only those that are looked at. */
export interface LookedAt {
  text: string;
  characters: number;
}

const NOTHING: Content = { texts: [], characters: 0, bytes: 0 };
const LEFT_OUT: Message = { role: null, texts: [null], characters: 0, bytes: 0 };
/** So many of the first and at least as many of the last are kept: a body can have millions, and hardly any is looked at. */
const KEPT_AT_ENDS = 1024;
/** A longer text is not read whole. No character takes more than six bytes. */
const READ_WHOLE_BYTES = 6 * (LOOKED_AT_HEAD + LOOKED_AT_TAIL);
const BACKSLASH = 0x5c;

/** @param leftOut stands for what is dropped */
function keep<T>(items: T[], item: T, leftOut: T): void {
  if (items.push(item) === 3 * KEPT_AT_ENDS) items.splice(KEPT_AT_ENDS, KEPT_AT_ENDS, leftOut);
}

/** Walks over a value. @returns null where it is no list of objects */
export function scanMessages(scanner: JsonScanner): Messages | null {
  if (!scanner.isList()) {
    scanner.value();
    return null;
  }
  const list: Message[] = [];
  let characters = 0;
  let bytes = 0;
  let areObjects = true;
  scanner.list(() => {
    if (scanner.isObject()) {
      const message = scanMessage(scanner);
      characters += message.characters;
      bytes += message.bytes;
      keep(list, message, LEFT_OUT);
    } else {
      scanner.value();
      areObjects = false;
    }
  });
  return areObjects ? { list, characters, bytes } : null;
}

/** Walks over a value. @returns null where it is no prompt */
export function scanPrompt(scanner: JsonScanner): TextSpan | PromptList | null {
  if (scanner.isString()) return scanner.text();
  if (!scanner.isList()) {
    scanner.value();
    return null;
  }
  const found: PromptList = { prompts: 0, tokens: 0, characters: 0, bytes: 0, first: null };
  let numbers = 0;
  let texts = 0;
  let lists = 0;
  let others = 0;
  const token = () => {
    if (scanner.isNumber()) found.tokens += 1;
    else others += 1;
    scanner.value();
  };
  scanner.list(() => {
    if (scanner.isString()) {
      const text = scanner.text();
      found.first ??= text;
      found.characters += text.characters;
      found.bytes += text.end - text.start;
      texts += 1;
    } else if (scanner.isList()) {
      scanner.list(token);
      lists += 1;
    } else {
      token();
      numbers += 1;
    }
  });
  const kinds = [numbers, texts, lists].filter((count) => count > 0).length;
  if (others > 0 || kinds > 1) return null;
  found.prompts = Math.max(1, texts + lists);
  return found;
}

function scanMessage(scanner: JsonScanner): Message {
  let role: Span | null = null;
  let content = NOTHING;
  scanner.object((key) => {
    if (key === 'content') content = scanContent(scanner);
    else if (key === 'role') role = scanner.value();
    else scanner.value();
  });
  return { role, texts: content.texts, characters: content.characters, bytes: content.bytes };
}

function scanContent(scanner: JsonScanner): Content {
  if (scanner.isString()) {
    const text = scanner.text();
    return { texts: [text], characters: text.characters, bytes: text.end - text.start };
  }
  if (!scanner.isList()) {
    scanner.value();
    return NOTHING;
  }
  const texts: (TextSpan | null)[] = [];
  let characters = 0;
  let bytes = 0;
  scanner.list(() => {
    const text = scanPart(scanner);
    if (text) {
      characters += text.characters;
      bytes += text.end - text.start;
    }
    keep(texts, text, null);
  });
  return { texts, characters, bytes };
}

function scanPart(scanner: JsonScanner): TextSpan | null {
  if (!scanner.isObject()) {
    scanner.value();
    return null;
  }
  let text: TextSpan | null = null;
  scanner.object((key) => {
    if (key !== 'text') scanner.value();
    else if (scanner.isString()) text = scanner.text();
    else {
      scanner.value();
      text = null;
    }
  });
  return text;
}

/** Texts as one, a line each; what is no text is an empty line. */
export function lookedAt(body: Buffer, texts: readonly (TextSpan | null)[]): LookedAt {
  let characters = Math.max(0, texts.length - 1);
  for (const text of texts) characters += text?.characters ?? 0;
  return { text: texts.map((text) => (text === null ? '' : windowOf(body, text))).join('\n'), characters };
}

/** A text, or of a long one its beginning and its end. */
function windowOf(body: Buffer, { start, end, escaped }: TextSpan): string {
  if (end - start <= READ_WHOLE_BYTES) return textAt(body, start, end, escaped);
  const head = textAt(body, start, characterAt(body, start, start + 6 * LOOKED_AT_HEAD), escaped);
  const tail = textAt(body, characterAt(body, start, end - 6 * LOOKED_AT_TAIL), end, escaped);
  return head.slice(0, LOOKED_AT_HEAD) + tail.slice(-LOOKED_AT_TAIL);
}

function textAt(body: Buffer, start: number, end: number, escaped: boolean): string {
  const text = body.toString('utf8', start, end);
  return escaped ? (JSON.parse(`"${text}"`) as string) : text;
}

/** Where the character or the escape begins that has this byte. @param start of the text */
function characterAt(body: Buffer, start: number, byte: number): number {
  let at = byte;
  while (at > start && (body[at]! & 0xc0) === 0x80) at -= 1;
  for (let back = at - 1; back >= start && back > at - 6; back--) {
    if (body[back] !== BACKSLASH) continue;
    let first = back;
    while (first > start && body[first - 1] === BACKSLASH) first -= 1;
    const opensEscape = (back - first) % 2 === 0;
    // Two bytes, or six where it is by number.
    return opensEscape && at - back < (body[back + 1] === 0x75 ? 6 : 2) ? back : at;
  }
  return at;
}
