import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonError, JsonScanner } from './json-scan.ts';

/** At any alignment: texts are walked over four bytes at a time. */
function bytesOf(json: string | Buffer, shift = 0): Buffer {
  const text = Buffer.from(json);
  const bytes = Buffer.alloc(text.length + shift, '"');
  text.copy(bytes, shift);
  return bytes.subarray(shift);
}

function accepts(bytes: Buffer): boolean {
  const scanner = new JsonScanner(bytes);
  try {
    scanner.value();
    scanner.end();
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}

function parses(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString('utf8'));
    return true;
  } catch {
    return false;
  }
}

/** All that a walk finds: as JSON.parse makes it, but by pieces. */
function walked(scanner: JsonScanner): unknown {
  const { bytes } = scanner;
  if (scanner.isObject()) {
    const object: Record<string, unknown> = {};
    scanner.object((key) => {
      Object.defineProperty(object, key, { value: walked(scanner), enumerable: true, configurable: true, writable: true });
    });
    return object;
  }
  if (scanner.isList()) {
    const list: unknown[] = [];
    scanner.list(() => list.push(walked(scanner)));
    return list;
  }
  if (scanner.isString()) {
    const { start, end, characters, escaped } = scanner.text();
    const text = JSON.parse(bytes.toString('utf8', start - 1, end + 1)) as string;
    expect(characters).toBe(text.length);
    if (!escaped) expect(bytes.toString('utf8', start, end)).toBe(text);
    return text;
  }
  const { start, end } = scanner.value();
  return JSON.parse(bytes.toString('utf8', start, end));
}

const BROKEN = [
  ...['', ' ', '{', '[', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{a:1}', "{'a':1}", '{"a" 1}', '{"a":1 "b":2}', '{"a":}'],
  ...['[1,]', '[,1]', '[1 2]', '[1', '[1,', ']', '}', '[}', '{]', '[1}', '{"a":1]', '1 2', '{} {}', 'null null', '{}x', '\ufeff{}'],
  ...['"', '"a', '"\\', '"\\x"', '"\\u12"', '"\\u123g"', '"\\u', '"a\nb"', '"a\tb"', '"\u0000"', '"abcdefgh\u001fabcdefgh"', '"abcdefgh\\'],
  ...['tru', 'truth', 'True', 'nul', 'nulL', 'undefined', 'NaN', 'Infinity', '-Infinity', '-', '+1', '.5', '1.', '01', '-01', '1e', '1e+'],
  ...['0x1', '1_000', '1.e5', '-.5', '00', '1.5.5', '--1', '/* */ 1', '1 // x', '\u00a01', '\u000b1'],
];
const WHOLE = [
  ...[
    '{}',
    '[]',
    ' { } ',
    '\t[\r\n]\n',
    'null',
    'true',
    'false',
    '0',
    '-0',
    '-1.5e-7',
    '1E+5',
    '12345678901234567890',
    '1e999',
    '""',
    '"a"',
  ],
  ...['{"a":1,"a":2}', '{"":""}', '[[[]]]', '[{}, {}]', '{"a":{"a":{"a":[]}}}', '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00"'],
  ...['"grüße 🌊 水"', '"\u007f\u2028"', '"\\ud800"', '{"\\u0061":1}', '{"__proto__":{"x":1}}', '"a/b"', '{"a" : [ 1 , 2 ] , "b" : null }'],
];

describe('a walk over JSON', () => {
  it.each(BROKEN)('refuses %j, as JSON.parse does', (text) => {
    expect(parses(Buffer.from(text))).toBe(false);
    for (let shift = 0; shift < 4; shift++) expect(accepts(bytesOf(text, shift))).toBe(false);
  });

  it.each(WHOLE)('takes %j, and finds in it what JSON.parse finds', (text) => {
    for (let shift = 0; shift < 4; shift++) {
      expect(accepts(bytesOf(text, shift))).toBe(true);
      expect(walked(new JsonScanner(bytesOf(text, shift)))).toEqual(JSON.parse(text));
    }
  });

  it('finds what JSON.parse finds in any value, indented or not', () => {
    const indents = fc.constantFrom(undefined, 1, '\t');
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), indents, fc.nat(3), (value, indent, shift) => {
        const text = JSON.stringify(value, null, indent);
        expect(accepts(bytesOf(text, shift))).toBe(true);
        expect(walked(new JsonScanner(bytesOf(text, shift)))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('takes and refuses what JSON.parse does, of anything like JSON', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        ' ',
        '\n',
        'a',
        '"a"',
        '"a":',
        '1',
        '-',
        '.',
        'e',
        '0',
        'null',
        'true',
        '\\u00e9',
      ),
      fc.string({ maxLength: 9, unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(3), (pieces, shift) => {
        const bytes = bytesOf(pieces.join(''), shift);
        expect(accepts(bytes)).toBe(parses(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes and refuses what JSON.parse does, of a value with one byte changed', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), fc.nat(255), fc.nat(3), (value, place, byte, shift) => {
        const bytes = bytesOf(JSON.stringify(value), shift);
        bytes[place % bytes.length] = byte;
        expect(accepts(bytes)).toBe(parses(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('says where it broke, and when it ended too early', () => {
    const position = (text: string) => {
      try {
        new JsonScanner(Buffer.from(text)).value();
      } catch (error) {
        return (error as JsonError).position;
      }
      throw new Error('was taken');
    };
    expect(position('{"a": x}')).toBe(6);
    expect(position('["abc\n"]')).toBe(5);
    expect(position('{"a": "x')).toBeNull();
    expect(position('[1, 2')).toBeNull();
  });

  it('is not nested as deeply as what it walks over, and keeps nothing of that', () => {
    const depth = 500_000;
    expect(accepts(Buffer.from('['.repeat(depth) + ']'.repeat(depth)))).toBe(true);
    expect(accepts(Buffer.from(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`))).toBe(true);
    expect(accepts(Buffer.from('['.repeat(depth)))).toBe(false);
    expect(accepts(Buffer.from(`${'['.repeat(depth) + ']'.repeat(depth - 1)}}`))).toBe(false);
    expect(accepts(Buffer.from('[[1],{"a":[2]}]'))).toBe(true);
  });
});
