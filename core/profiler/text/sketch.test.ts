import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packSketch, unpackSketch } from './pack.ts';
import { createSketcher, DENSE_FEATURES, MAX_BUCKETS, type PromptParts, WORD_BUCKETS } from './sketch.ts';

const KEY = { id: 'k', k0: 11, k1: 22 };
const parts = (prompt: string, more: Partial<PromptParts> = {}): PromptParts => ({
  prompt,
  system: '',
  turn: 0,
  earlierAnswerCharacters: 0,
  temperature: null,
  tools: false,
  ...more,
});
const sketch = (prompt: string, more: Partial<PromptParts> = {}, key = KEY) => createSketcher(key).sketch(parts(prompt, more));
const sorted = (buckets: Uint16Array) => [...buckets].sort((a, b) => a - b);

describe('a sketch', () => {
  it('is the same for the same prompt, whatever was sketched before', () => {
    const sketcher = createSketcher(KEY);
    const first = sketcher.sketch(parts('Write a story about a lighthouse.'));
    sketcher.sketch(parts('something else entirely', { system: 'you are a pirate' }));
    expect(sketcher.sketch(parts('Write a story about a lighthouse.'))).toEqual(first);
  });

  it('knows words and their neighbours, not capitals; another key puts them elsewhere', () => {
    expect(sorted(sketch('List three rivers').buckets)).toEqual(sorted(sketch('list THREE rivers').buckets));
    expect(sorted(sketch('man bites dog').buckets)).not.toEqual(sorted(sketch('dog bites man').buckets));
    expect(sorted(sketch('List three rivers', {}, { id: 'other', k0: 1, k1: 2 }).buckets)).not.toEqual(
      sorted(sketch('List three rivers').buckets),
    );
  });

  it('tells templates apart, and turns', () => {
    const plain = sketch('hello');
    const inTemplate = sketch('hello', { system: 'Answer in one word.' });
    expect(inTemplate.buckets).toHaveLength(plain.buckets.length + 1);
    expect([...sketch('hello', { turn: 3, earlierAnswerCharacters: 900, tools: true }).dense]).not.toEqual([...plain.dense]);
  });

  it('counts what the prompt shows', () => {
    const [characters, words, questions, newlines, , , commas, digits] = sketch('Why, oh why?\nTell me 12 things').dense;
    const counted = [characters, words, commas, newlines, digits].map((value) => Math.round(Math.expm1(value!)));
    expect(counted).toEqual([30, 7, 1, 1, 2]);
    expect(questions).toBe(1);
  });

  it('looks at the beginning and the end of a document only', () => {
    const long = (middle: string) => `Summarise this. ${'x '.repeat(1000)}${middle}${' y'.repeat(1000)} In one line.`;
    expect(sketch(long('alpha')).buckets).toEqual(sketch(long('omega')).buckets);
    expect(sketch(`${long('alpha')} Please.`).buckets).not.toEqual(sketch(long('alpha')).buckets);
  });

  it('takes any text, and survives being packed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 4000 }), fc.string({ unit: 'binary', maxLength: 50 }), (prompt, system) => {
        const made = sketch(prompt, { system });
        expect(made.dense).toHaveLength(DENSE_FEATURES);
        expect(made.dense.every(Number.isFinite)).toBe(true);
        expect(made.buckets.length).toBeLessThanOrEqual(MAX_BUCKETS);
        expect(new Set(made.buckets).size).toBe(made.buckets.length);
        expect(made.buckets.every((bucket) => bucket < WORD_BUCKETS)).toBe(true);
        expect(unpackSketch(packSketch(made), 'k')).toEqual(made);
      }),
    );
  });
});

describe('unpackSketch', () => {
  it('makes nothing of what is no sketch', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const read = unpackSketch(bytes, 'k');
        if (read) expect(packSketch(read)).toHaveLength(bytes.length);
      }),
    );
    const packed = packSketch(sketch('a few words'));
    expect(unpackSketch(packed.slice(0, -1), 'k')).toBeNull();
    expect(
      unpackSketch(
        Uint8Array.from(packed, (byte, i) => (i === 0 ? 9 : byte)),
        'k',
      ),
    ).toBeNull();
    expect(
      unpackSketch(
        Uint8Array.from(packed, (byte, i) => (i === packed.length - 1 ? 0xff : byte)),
        'k',
      ),
    ).toBeNull();
  });
});
