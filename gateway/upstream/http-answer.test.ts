import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerReader } from './http-answer.ts';

function read(...pieces: (string | Buffer)[]) {
  const read = { heads: [] as [number, object][], text: '', pieces: 0 };
  const reader = new AnswerReader({
    onHead: (status, headers) => read.heads.push([status, headers]),
    onData: (chunk) => {
      read.text += chunk.toString('latin1');
      read.pieces += 1;
    },
  });
  // As a socket reads: into one buffer over and over.
  const buffer = Buffer.alloc(64 * 1024, 'x');
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    bytes.copy(buffer);
    reader.push(buffer, bytes.length);
    buffer.fill('\n', 0, bytes.length);
  }
  return { reader, ...read };
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';
const CHUNKED = `${HEAD}transfer-encoding: chunked\r\n\r\n`;

describe('an answer', () => {
  it.each([
    ['of a length', `${HEAD}content-length: 5\r\n\r\nhello`, 'hello', true],
    ['of no length at all', `${HEAD}content-length: 0\r\n\r\n`, '', true],
    ['in chunks', `${CHUNKED}3\r\nhel\r\n2;x="y"\r\nlo\r\n0\r\n\r\n`, 'hello', true],
    ['in chunks of long and padded lengths', `${CHUNKED}00000A\r\n0123456789\r\n1 \r\nx\r\n000\r\n\r\n`, '0123456789x', true],
    ['with trailers', `${CHUNKED}5\r\nhello\r\n0\r\nx-a: b\r\ny: z\r\n\r\n`, 'hello', true],
    ['without content', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
    [
      'after one that is only underway',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\n${HEAD}content-length: 2\r\n\r\nhi`,
      'hi',
      true,
    ],
    ['that ends its connection', `${HEAD}connection: close\r\ncontent-length: 2\r\n\r\nhi`, 'hi', false],
    ['of an old server', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi', 'hi', false],
    ['of an old server that keeps connections', 'HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nhi', 'hi', true],
    [
      'of two lengths, which may be meant to hide another',
      `${CHUNKED.slice(0, -2)}content-length: 2\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
      'hi',
      false,
    ],
    ['with more behind it', `${HEAD}content-length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n`, 'hi', false],
  ])('%s is read, however it is cut', (_, bytes, text, reusable) => {
    const whole = read(bytes);
    expect(whole.heads).toHaveLength(1);
    expect([whole.text, whole.reader.done, whole.reader.reusable]).toEqual([text, true, reusable]);
    for (let at = 1; at < bytes.length; at++) {
      const cut = read(bytes.slice(0, at), bytes.slice(at));
      expect([cut.text, cut.heads, cut.reader.done, cut.reader.reusable]).toEqual([text, whole.heads, true, reusable]);
    }
    const single = read(...bytes);
    expect([single.text, single.heads, single.reader.done]).toEqual([text, whole.heads, true]);
  });

  it('gives what comes together in one piece, of however many chunks', () => {
    const { text, pieces } = read(`${CHUNKED}${'2\r\nab\r\n'.repeat(100)}`, '1\r\nc\r\n0\r\n\r\n');
    expect([text, pieces]).toEqual([`${'ab'.repeat(100)}c`, 2]);
  });

  it('says its status and headers, in small letters, those that come twice as one', () => {
    const { heads, reader } = read(
      'HTTP/1.1 429 Too Many\r\nX-A:  b \r\nx-a: c\r\nSet-Cookie: d=1\r\nset-cookie: e=2\r\nKeep-Alive: timeout=5, max=9\r\ncontent-length: 0\r\n\r\n',
    );
    const headers = { 'x-a': 'b, c', 'set-cookie': ['d=1', 'e=2'], 'keep-alive': 'timeout=5, max=9', 'content-length': '0' };
    expect(heads).toEqual([[429, headers]]);
    expect(reader.idleMs).toBe(5000);
  });

  it('does not hand on a length that its chunks belie: a client would read the rest as the next answer', () => {
    const { heads, text } = read(`${CHUNKED.slice(0, -2)}content-length: 2\r\n\r\na\r\n0123456789\r\n0\r\n\r\n`);
    expect(text).toBe('0123456789');
    expect(heads[0]![1]).not.toHaveProperty('content-length');
  });

  it('of unknown length is whole when its connection ends, and others are not', () => {
    const open = read(`${HEAD}\r\n`, 'a', 'b');
    expect([open.text, open.reader.done, open.reader.reusable]).toEqual(['ab', false, false]);
    expect(open.reader.finish()).toBe(true);
    for (const cut of [
      '',
      'HTTP/1.1 200',
      `${HEAD}content-length: 5\r\n\r\nhell`,
      `${CHUNKED}5\r\nhello\r\n`,
      `${CHUNKED}5\r\nhello\r\n0\r\n`,
    ]) {
      expect(read(cut).reader.finish()).toBe(false);
    }
  });

  it.each([
    '220 smtp.example ESMTP\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 099 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    `${HEAD}no colon\r\n\r\n`,
    `${HEAD}: empty\r\n\r\n`,
    `${HEAD}a b: c\r\n\r\n`,
    `${HEAD} folded: c\r\n\r\n`,
    `${HEAD}content-length: -1\r\n\r\n`,
    `${HEAD}content-length: 0x10\r\n\r\n`,
    `${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\n`,
    `${CHUNKED}x\r\n`,
    `${CHUNKED}\r\n`,
    `${CHUNKED}-1\r\n`,
    `${CHUNKED}2\r\nabc`,
    `${CHUNKED}2\r\nab\rx`,
    `${CHUNKED}1000000000000\r\n`,
    `${CHUNKED}1;${'x'.repeat(9000)}`,
    `${CHUNKED}0\r\n${'x: y\r\n'.repeat(2000)}`,
  ])('is none: %j', (bytes) => {
    expect(() => read(bytes)).toThrow();
  });

  it('has a head that ends', () => {
    const line = `x: ${'y'.repeat(1000)}\r\n`;
    expect(() => read(HEAD, ...Array<string>(80).fill(line))).toThrow(/no end/);
  });

  it('follows another on its connection', () => {
    const { reader } = read(`${CHUNKED}0\r\n\r\n`);
    reader.next();
    expect(reader.done).toBe(false);
    const bytes = Buffer.from(`${HEAD}content-length: 0\r\n\r\n`);
    reader.push(bytes, bytes.length);
    expect([reader.done, reader.reusable]).toEqual([true, true]);
  });

  it('is read whole from chunks of any size, cut anywhere', () => {
    const chunks = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' }), { maxLength: 8 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(400), { maxLength: 5 }), (parts, places) => {
        const bytes = `${CHUNKED}${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
        const cuts = [0, ...places.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
        const { text, reader } = read(...cuts.slice(1).map((at, i) => bytes.slice(cuts[i], at)));
        expect([text, reader.done, reader.reusable]).toEqual([parts.join(''), true, true]);
      }),
    );
  });
});
