/** Changes single top-level keys of a JSON object in its bytes; all other bytes stay as they came. Works on valid JSON only: parse it first. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

export interface Change {
  key: string;
  /** JSON text. */
  value: string;
  /** The object has this key: its value is replaced. Otherwise the key is added at the end. */
  present: boolean;
}

/** The same object with these changes. Without any it is the same buffer. */
export function spliceObject(body: Buffer, changes: readonly Change[]): Buffer {
  let spliced = body;
  for (const { key, value, present } of changes) {
    const range = present ? topLevelValue(spliced, key) : null;
    if (range) spliced = Buffer.concat([spliced.subarray(0, range.start), Buffer.from(value), spliced.subarray(range.end)]);
  }
  const added = changes.filter((c) => !c.present).map((c) => `${JSON.stringify(c.key)}:${c.value}`);
  if (added.length === 0) return spliced;
  const end = spliced.lastIndexOf(CLOSE_BRACE);
  const separator = isEmptyObject(spliced, end) ? '' : ',';
  return Buffer.concat([spliced.subarray(0, end), Buffer.from(separator + added.join(',')), spliced.subarray(end)]);
}

/** Where the value of a top-level key lies; of a duplicate key the last, which is the one that parsers take. */
export function topLevelValue(body: Buffer, key: string): { start: number; end: number } | null {
  let found: { start: number; end: number } | null = null;
  let at = skipBlanks(body, body.indexOf(OPEN_BRACE) + 1);
  while (body[at] === QUOTE) {
    const keyEnd = stringEnd(body, at);
    const name: unknown = JSON.parse(body.toString('utf8', at, keyEnd));
    const start = skipBlanks(body, skipBlanks(body, keyEnd) + 1);
    const end = valueEnd(body, start);
    if (name === key) found = { start, end };
    at = skipBlanks(body, end);
    if (body[at] === COMMA) at = skipBlanks(body, at + 1);
  }
  return found;
}

function isEmptyObject(body: Buffer, end: number): boolean {
  return skipBlanks(body, body.indexOf(OPEN_BRACE) + 1) === end;
}

function skipBlanks(body: Buffer, from: number): number {
  let at = from;
  while (isBlank(body[at])) at++;
  return at;
}

const isBlank = (byte: number | undefined) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The position behind the string that begins at `from`. */
function stringEnd(body: Buffer, from: number): number {
  let at = from + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function valueEnd(body: Buffer, from: number): number {
  const first = body[from];
  if (first === QUOTE) return stringEnd(body, from);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return scalarEnd(body, from);
  let depth = 0;
  let at = from;
  while (at < body.length) {
    const byte = body[at];
    if (byte === QUOTE) {
      at = stringEnd(body, at);
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return at;
}

function scalarEnd(body: Buffer, from: number): number {
  let at = from;
  while (at < body.length && body[at] !== COMMA && body[at] !== CLOSE_BRACE && !isBlank(body[at])) at++;
  return at;
}
