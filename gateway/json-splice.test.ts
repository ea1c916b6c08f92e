import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { spliceObject, topLevelValue } from './json-splice.ts';

const splice = (json: string, ...changes: Parameters<typeof spliceObject>[1]) => spliceObject(Buffer.from(json), changes).toString();

describe('splicing', () => {
  it.each([
    ['{"a":1}', '{"a":1,"p":-5}'],
    ['{ "a" : "}" }\n', '{ "a" : "}" ,"p":-5}\n'],
    ['{}', '{"p":-5}'],
    ['{ }', '{ "p":-5}'],
  ])('adds a key at the end of %s', (before, after) => {
    expect(splice(before, { key: 'p', value: '-5', present: false })).toBe(after);
  });

  it.each([
    ['{"p":1,"a":2}', '{"p":9,"a":2}'],
    ['{"a":{"p":1},"p" :\t[1,"]",{}] }', '{"a":{"p":1},"p" :\t9 }'],
    ['{"p":1,"p":2}', '{"p":1,"p":9}'],
    ['{"\\u0070":"x\\"y"}', '{"\\u0070":9}'],
    ['{"a":"p","q":"\\\\","p":true}', '{"a":"p","q":"\\\\","p":9}'],
  ])('replaces the value in %s', (before, after) => {
    expect(splice(before, { key: 'p', value: '9', present: true })).toBe(after);
  });

  it('leaves the very same buffer where nothing changes', () => {
    const body = Buffer.from('{"a":1}');
    expect(spliceObject(body, [])).toBe(body);
  });

  it('finds exactly what a parser finds, in any object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.boolean(), (object, indented) => {
        const body = Buffer.from(JSON.stringify(object, null, indented ? 2 : 0));
        for (const [key, value] of Object.entries(object)) {
          const range = topLevelValue(body, key)!;
          expect(JSON.parse(body.toString('utf8', range.start, range.end))).toEqual(JSON.parse(JSON.stringify(value)));
        }
        const changed = spliceObject(body, [{ key: 'zz-new', value: '{"x":[1]}', present: Object.hasOwn(object, 'zz-new') }]);
        expect(JSON.parse(changed.toString())).toEqual({ ...JSON.parse(body.toString()), 'zz-new': { x: [1] } });
      }),
    );
  });
});
