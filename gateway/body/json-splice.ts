/** Changes single top-level keys of a JSON object in its bytes; all other bytes stay as they came. Works on valid JSON only. */
import type { Span } from './json-scan.ts';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

export interface Change {
  key: string;
  /** JSON text. */
  value: string;
  /** Where the value lies that it replaces; null where the object has no such key: it is added at the end. */
  at: Span | null;
}

/** The same object with these changes. Without any it is the same buffer. */
export function spliceObject(body: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return body;
  const pieces: Buffer[] = [];
  let from = 0;
  const replaced = changes.flatMap(({ value, at }) => (at ? [{ value, at }] : [])).sort((a, b) => a.at.start - b.at.start);
  for (const { value, at } of replaced) {
    pieces.push(body.subarray(from, at.start), Buffer.from(value));
    from = at.end;
  }
  const added = changes.flatMap(({ key, value, at }) => (at ? [] : [`${JSON.stringify(key)}:${value}`])).join(',');
  if (added !== '') {
    const end = body.lastIndexOf(CLOSE_BRACE);
    pieces.push(body.subarray(from, end), Buffer.from(isEmptyObject(body, end) ? added : `,${added}`));
    from = end;
  }
  pieces.push(body.subarray(from));
  return Buffer.concat(pieces);
}

function isEmptyObject(body: Buffer, end: number): boolean {
  let at = body.indexOf(OPEN_BRACE) + 1;
  while (body[at]! <= 0x20) at += 1;
  return at === end;
}
