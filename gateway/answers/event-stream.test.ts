import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventStream } from './event-stream.ts';

const token = (text: string) => `data: {"choices":[{"text":${JSON.stringify(text)}}]}\n\n`;
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":7,"total_tokens":9,"completion_tokens":2}}\n\n';
const DONE = 'data: [DONE]\n\n';

function pass(stream: EventStream, chunks: readonly (string | Buffer)[]) {
  const passed = chunks.map((c) => stream.push(Buffer.from(c)));
  const text = Buffer.concat(passed.flatMap((p) => (p.bytes ? [p.bytes] : []))).toString();
  return { text, outputs: passed.reduce((sum, p) => sum + p.outputs, 0) };
}

describe('event stream', () => {
  it('passes events as they came and counts those with output', () => {
    const stream = new EventStream(true);
    const text = `: ping\n\n${token('a')}event: x\n${token('b')}${DONE}`;
    expect(pass(stream, [text])).toEqual({ text, outputs: 2 });
    expect(stream.done).toBe(true);
    expect(stream.usage).toBeNull();
  });

  it('hides the usage chunk that the client did not ask for, and reads it', () => {
    const stream = new EventStream(true);
    expect(pass(stream, [token('a'), token('b'), USAGE + DONE])).toEqual({ text: token('a') + token('b') + DONE, outputs: 2 });
    expect(stream.usage).toEqual({ promptTokens: 7, completionTokens: 2 });
  });

  it('leaves it to the client that did', () => {
    const stream = new EventStream(false);
    expect(pass(stream, [token('a'), USAGE, DONE])).toEqual({ text: token('a') + USAGE + DONE, outputs: 1 });
    expect(stream.usage).toEqual({ promptTokens: 7, completionTokens: 2 });
  });

  it('never hides a chunk with output, whatever usage it reports, nor text that speaks of usage', () => {
    const stream = new EventStream(true);
    const both = 'data: {"choices":[{"text":"a"}],"usage":{"completion_tokens":1}}\n\n';
    const text = `${both}${token('"usage": {} [DONE]')}data: {"usage" broken\n\ndata: {"choices":[],"usage":null}\n\n`;
    expect(pass(stream, [text])).toEqual({ text, outputs: 4 });
    expect(stream.done).toBe(false);
  });

  it('notices an error that the engine reports in the stream, and passes it on', () => {
    const stream = new EventStream(true);
    const text = `${token('{"error"')}data: {"error":{"message":"out of memory"}}\n\n${DONE}`;
    expect(pass(stream, [text])).toEqual({ text, outputs: 1 });
    expect(stream.failed).toBe(true);
  });

  it('gives the same however the bytes are cut, also for CRLF', () => {
    const whole = `${token('größe')}${USAGE}${token('x')}: c\n\n${DONE}`;
    const crlf = whole.replaceAll('\n', '\r\n');
    for (const text of [whole, crlf]) {
      const expected = pass(new EventStream(true), [text]);
      fc.assert(
        fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
          const bytes = Buffer.from(text);
          const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
          const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
          const stream = new EventStream(true);
          expect(pass(stream, chunks)).toEqual(expected);
          expect(stream.done).toBe(true);
        }),
      );
    }
  });

  it('holds back an event until it is whole, up to a bound', () => {
    const stream = new EventStream(true);
    expect(stream.push(Buffer.from('data: {"cho')).bytes).toBeNull();
    expect(stream.rest()?.toString()).toBe('data: {"cho');
    const endless = Buffer.alloc(1024 * 1024, 0x61);
    expect(() => Array.from({ length: 9 }, () => stream.push(endless))).toThrow(/exceeds/);
  });
});
