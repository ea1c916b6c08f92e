/**
 * Words that nobody else writes, for tests that look for them where they must not be. All words of a flock begin with the same random
 * marker, so that one search finds any of them, and what follows it says which.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Flock {
  marker: string;
  /** A word of this flock: the marker, and what it is a word of. */
  word(of: string): string;
}

/** @param prefix begins the marker; letters and digits */
export function flock(prefix: string): Flock {
  const marker = `${prefix}${randomBytes(8).toString('hex')}`;
  return { marker, word: (of) => `${marker}-${of}` };
}

export interface Place {
  name: string;
  bytes: Buffer;
}

/** Characters told of what follows a marker. */
const CONTEXT = 40;

/**
 * Where a marker is found: as it is or in other cases, in UTF-16, in hexadecimal, or in base64 (both alphabets) wherever in the encoded bytes
 * it begins.
 * @returns a line for each place and form, empty where there is none
 */
export function traces(marker: string, places: readonly Place[]): string[] {
  const bytes = Buffer.from(marker);
  const anyCase = { text: marker, 'UTF-16': Buffer.from(marker, 'utf16le').toString('latin1'), hexadecimal: bytes.toString('hex') };
  const exact = [0, 1, 2].flatMap((offset) => {
    const inner = base64At(bytes, offset);
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
  // What is stored may have been lower-cased before it was encoded.
  const lower = [0, 1, 2].map((offset) => base64At(Buffer.from(marker.toLowerCase()), offset));
  return places.flatMap(({ name, bytes: found }) => {
    const text = found.toString('latin1');
    const folded = text.toLowerCase();
    const lines: string[] = [];
    for (const [form, pattern] of Object.entries(anyCase)) {
      const at = folded.indexOf(pattern.toLowerCase());
      if (at >= 0) lines.push(`${name}: as ${form}: ${JSON.stringify(text.slice(at, at + pattern.length + CONTEXT))}`);
    }
    if ([...exact, ...lower].some((pattern) => text.includes(pattern))) lines.push(`${name}: as base64`);
    return lines;
  });
}

/** What base64 makes of bytes that begin at this offset within a group of three, without the characters that their neighbours decide too. */
function base64At(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const whole = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(Math.ceil((offset * 8) / 6), whole);
}

/** Every file under a folder. What disappears meanwhile is left out. */
export function filesUnder(directory: string): Place[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .flatMap((entry) => {
      const file = join(entry.parentPath, entry.name);
      try {
        return [{ name: relative(directory, file), bytes: readFileSync(file) }];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      }
    });
}
