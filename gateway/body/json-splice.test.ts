import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonScanner, type Span } from './json-scan.ts';
import { spliceObject } from './json-splice.ts';

/** Where the value of a top-level key lies; of a duplicate key the last. */
function placeOf(body: Buffer, key: string): Span | null {
  const scanner = new JsonScanner(body);
  let place: Span | null = null;
  scanner.next();
  scanner.object((name) => {
    const span = scanner.value();
    if (name === key) place = span;
  });
  return place;
}

const splice = (json: string, ...changes: { key: string; value: string }[]) => {
  const body = Buffer.from(json);
  return spliceObject(
    body,
    changes.map((change) => ({ ...change, at: placeOf(body, change.key) })),
  ).toString();
};

describe('splicing', () => {
  it.each([
    ['{"a":1}', '{"a":1,"p":-5}'],
    ['{ "a" : "}" }\n', '{ "a" : "}" ,"p":-5}\n'],
    ['{}', '{"p":-5}'],
    ['{ }', '{ "p":-5}'],
  ])('adds a key at the end of %s', (before, after) => {
    expect(splice(before, { key: 'p', value: '-5' })).toBe(after);
  });

  it.each([
    ['{"p":1,"a":2}', '{"p":9,"a":2}'],
    ['{"a":{"p":1},"p" :\t[1,"]",{}] }', '{"a":{"p":1},"p" :\t9 }'],
    ['{"p":1,"p":2}', '{"p":1,"p":9}'],
    ['{"\\u0070":"x\\"y"}', '{"\\u0070":9}'],
    ['{"a":"p","q":"\\\\","p":true}', '{"a":"p","q":"\\\\","p":9}'],
  ])('replaces the value in %s', (before, after) => {
    expect(splice(before, { key: 'p', value: '9' })).toBe(after);
  });

  it('replaces several and adds others at once, in whatever order they come', () => {
    const changes = ['q', 'x', 'p', 'y'].map((key) => ({ key, value: `"${key}${key}"` }));
    expect(splice('{"p":1, "a":2, "q":[3]}', ...changes)).toBe('{"p":"pp", "a":2, "q":"qq","x":"xx","y":"yy"}');
  });

  it('leaves the very same buffer where nothing changes', () => {
    const body = Buffer.from('{"a":1}');
    expect(spliceObject(body, [])).toBe(body);
  });

  it('makes what a parser would, of any object', () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(objects, fc.array(fc.string(), { maxLength: 3 }), fc.boolean(), (object, added, indented) => {
        const keys = new Set([...Object.keys(object).filter((_, i) => i % 2 === 0), ...added]);
        const json = JSON.stringify(object, null, indented ? 2 : 0);
        const spliced = JSON.parse(splice(json, ...[...keys].map((key) => ({ key, value: '{"x":[1]}' }))));
        const expected = new Map(Object.entries(JSON.parse(json)));
        for (const key of keys) expected.set(key, { x: [1] });
        expect(new Map(Object.entries(spliced))).toEqual(expected);
      }),
    );
  });
});
