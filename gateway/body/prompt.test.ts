import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSketcher } from '../../core/profiler/text/sketch.ts';
import { readRequest } from './request.ts';

const sketcher = createSketcher({ id: 'k', k0: 1, k1: 2 });
const NONE = { turn: 0, earlierAnswerCharacters: 0, temperature: null, tools: false };

/** Every character by its number, as some clients write all that is not ASCII. */
const byNumber = (json: string) => json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const bodies = (object: object) => [JSON.stringify(object), byNumber(JSON.stringify(object))].map((json) => Buffer.from(json));

/** Long ones made of few signs, so that what is cut is cut within escapes and characters of several bytes. */
const texts = fc.array(fc.constantFrom('\\', '"', '\n', 'a', 'bc ', 'é', '水', '🌊', 'u', '\\u', '\u0001', ' the end?'), {
  minLength: 0,
  maxLength: 9,
});
const longTexts = fc.tuple(texts, fc.nat(3000), texts).map(([pieces, times, tail]) => pieces.join('').repeat(times) + tail.join(''));

describe('a prompt that is not read whole', () => {
  it('is as long as it is', () => {
    fc.assert(
      fc.property(longTexts, (prompt) => {
        for (const body of bodies({ model: 'm', prompt })) {
          expect(readRequest('completion', body).prompt.characters).toBe(prompt.length);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('is sketched as if it were', () => {
    fc.assert(
      fc.property(longTexts, longTexts, (prompt, system) => {
        const whole = sketcher.sketch({ prompt, system, ...NONE });
        const messages = [
          { role: 'system', content: system },
          { role: 'user', content: prompt },
        ];
        for (const body of bodies({ model: 'm', messages })) {
          expect(sketcher.sketch(readRequest('chat', body).promptParts()!)).toEqual(whole);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('is sketched so in parts, too', () => {
    fc.assert(
      fc.property(fc.array(longTexts, { minLength: 1, maxLength: 3 }), (parts) => {
        const text = parts.join('\n');
        const whole = sketcher.sketch({ prompt: text, system: text, ...NONE });
        const content = parts.map((part) => ({ type: 'text', text: part }));
        const messages = ['system', 'user'].map((role) => ({ role, content }));
        for (const body of bodies({ model: 'm', messages })) {
          expect(sketcher.sketch(readRequest('chat', body).promptParts()!)).toEqual(whole);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('a key that comes twice', () => {
  it('counts as it comes last, as for a parser', () => {
    const read = (json: string) => readRequest('chat', Buffer.from(json));
    const one = '[{"role":"user","content":"one"}]';
    const two = '[{"role":"user","content":"three","content":"twelve","role":"user"}]';
    expect(read(`{"model":"a","messages":${one},"model":"b","messages":${two}}`)).toMatchObject({ model: 'b', prompt: { characters: 6 } });
    expect(read(`{"model":"a","mess\\u0061ges":${one}}`).prompt.characters).toBe(3);
    expect(() => read(`{"model":"a","messages":${one},"messages":7}`)).toThrow(/'messages': got 7/);
    expect(readRequest('completion', Buffer.from('{"model":"m","prompt":"abc","prompt":[1,2]}')).prompt.tokens).toBe(2);
    const part = '{"type":"text","text":"abc","text":5}';
    expect(read(`{"model":"a","messages":[{"role":"user","content":[${part}]}]}`).prompt.characters).toBe(0);
  });
});
