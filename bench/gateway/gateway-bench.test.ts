import { describe, expect, it } from 'vitest';
import { AnswerReader } from './answer-reader.ts';
import { judge } from './bars.ts';
import { MARK, streamParts, wholeAnswer } from './engine-answers.ts';
import { growthOf, possibleStreams } from './memory.ts';
import { questionsOf } from './questions.ts';
import { mediansOf, type Round, renderSpreads, spreadsOf } from './report.ts';
import { parseRssBytes } from './running.ts';
import { LIMIT, resultOf } from './several.ts';

/** Feeds a text in pieces of so many bytes. @returns how many pieces it took until the answer was complete; null where it never was */
function feed(reader: AnswerReader, text: string, pieceBytes: number): number | null {
  const bytes = Buffer.from(text);
  for (let at = 0, pieces = 1; at < bytes.length; at += pieceBytes, pieces++) {
    if (reader.feed(bytes.subarray(at, at + pieceBytes))) return pieces;
  }
  return null;
}

const chunked = (...chunks: (Buffer | string)[]) =>
  chunks.map((chunk) => `${Buffer.byteLength(chunk).toString(16)};x=1\r\n${chunk}\r\n`).join('');
const STREAM_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('AnswerReader', () => {
  const whole = wholeAnswer('chat', 32);
  const plain = `HTTP/1.1 200 OK\r\ncontent-length: ${whole.length}\r\nx-marks: ${MARK}\r\n\r\n${whole}`;
  const { first, token, last, usage, done } = streamParts('chat', 3);
  const stream = `${STREAM_HEAD}${chunked(Buffer.concat([first, token]), last, usage, done)}0\r\n\r\n`;

  it.each([1, 2, 7, 100, 1e6])('counts the tokens of a body, in pieces of %i bytes', (pieceBytes) => {
    const reader = new AnswerReader();
    for (const _ of [1, 2]) {
      reader.reset();
      expect(feed(reader, plain, pieceBytes)).toBe(Math.ceil(Buffer.byteLength(plain) / pieceBytes));
      expect(reader).toMatchObject({ status: 200, marks: 32, closes: false });
    }
  });

  it.each([1, 3, 64, 1e6])('reads chunks wherever they are cut, in pieces of %i bytes', (pieceBytes) => {
    const reader = new AnswerReader();
    expect(feed(reader, stream, pieceBytes)).toBe(Math.ceil(stream.length / pieceBytes));
    expect(reader).toMatchObject({ status: 200, marks: 3 });
    expect(reader.tail.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('waits for the end, and skips trailers', () => {
    expect(feed(new AnswerReader(), stream.slice(0, -2), 10)).toBeNull();
    expect(feed(new AnswerReader(), plain.slice(0, -1), 10)).toBeNull();
    expect(feed(new AnswerReader(), `${stream.slice(0, -2)}x-trailer: 1\r\n\r\n`, 5)).not.toBeNull();
  });

  it('sees a status, an empty body and that the connection ends', () => {
    const reader = new AnswerReader();
    expect(feed(reader, 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', 9)).not.toBeNull();
    expect(reader).toMatchObject({ status: 503, marks: 0, closes: true });
  });
});

describe('questionsOf', () => {
  it('says how long its body is, and is as large as asked', () => {
    for (const { bytes } of questionsOf({ host: 'h', headers: { a: 'b' }, streamed: true, tokens: 4, bodyBytes: 5000 }).slice(0, 3)) {
      const [head = '', body = ''] = bytes.toString().split('\r\n\r\n');
      expect(head).toContain('\r\na: b\r\n');
      expect(Number(/content-length: (\d+)/.exec(head)?.[1])).toBe(Buffer.byteLength(body));
      expect(Math.abs(body.length - 5000)).toBeLessThan(300);
      expect(JSON.parse(body)).toMatchObject({ max_tokens: 4, stream: true });
      expect(bytes.includes(MARK)).toBe(false);
    }
  });
});

describe('judge', () => {
  const medians = { uellm: { plainCpuUs: 60, decisionUs: 16 }, smg: { plainCpuUs: 100 } };

  it('compares with another, or with the bar itself', () => {
    const bars = judge(medians);
    expect(bars.find((b) => b.figure === 'plainCpuUs')).toMatchObject({ is: 0.6, reached: true });
    expect(bars.find((b) => b.figure === 'decisionUs')).toMatchObject({ is: 16, reached: false });
  });

  it('compares differences below 0 without a ratio', () => {
    const bars = [{ figure: 'addedP99Ms', what: '', against: 'smg', most: 1 }];
    expect(judge({ uellm: { addedP99Ms: 3 }, smg: { addedP99Ms: -1 } }, bars)).toMatchObject([{ is: null, reached: false }]);
    expect(judge({ uellm: { addedP99Ms: -2 }, smg: { addedP99Ms: -1 } }, bars)).toMatchObject([{ is: null, reached: true }]);
  });

  it('says nothing where one of them was not measured', () => {
    const [bar] = judge({ uellm: { plainCpuUs: 60 } });
    expect(bar).toMatchObject({ ours: 60, theirs: null, is: null, reached: null });
  });
});

describe('spreads', () => {
  const round = (router: string, n: number, figures: Record<string, number>): Round => ({
    ...{ router, round: n, figures, failed: 0, failure: null },
  });
  const spreads = spreadsOf([
    round('a', 1, { plainCpuUs: 1 }),
    round('a', 2, { plainCpuUs: 3 }),
    round('a', 3, { plainCpuUs: 2, rssBytes: 5e6 }),
  ]);

  it('are those of the rounds that have the figure', () => {
    expect(spreads.a).toEqual({ plainCpuUs: { median: 2, min: 1, max: 3 }, rssBytes: { median: 5e6, min: 5e6, max: 5e6 } });
    expect(mediansOf(spreads)).toEqual({ a: { plainCpuUs: 2, rssBytes: 5e6 } });
  });

  it('are shown with what is missing, and why', () => {
    const failed = { ...round('b', 1, {}), failed: 3, failure: 'plain: status 500' };
    const text = renderSpreads(spreads, { c: 'no wheel' }, [failed]);
    expect(text).toMatch(/a +2 \(1-3\) +5\n/);
    expect(text).toContain('c is left out: no wheel');
    expect(text).toContain('b, round 1: 3 answers not whole: plain: status 500');
  });
});

it('growth compares the last fifth with the second', () => {
  expect(growthOf([1, 1, 100, 100, 0, 0, 0, 0, 150, 150])).toBe(1.5);
  expect(growthOf([])).toBe(0);
});

it('as many streams as there are descriptors for', () => {
  expect(possibleStreams('Max open files            1024                 4096                 files')).toBe(362);
  expect(possibleStreams('Max open files            1048576              1048576              files')).toBe(10_000);
});

it('resident memory is read from its line', () => {
  expect(parseRssBytes('VmPeak:\t  9000 kB\nVmHWM:\t  70 kB\nVmRSS:\t    2048 kB\n')).toBe(2048 * 1024);
});

it('what is open over the limit is counted by look', () => {
  const result = resultOf('alone', 2, [{ ttftMs: 10, tpotMs: 10 }, null], [LIMIT, LIMIT + 2, LIMIT + 4, 0]);
  expect(result).toMatchObject({ requests: 2, failed: 1, attainment: 0.5, mostOpen: LIMIT + 4, overShare: 0.5, meanOver: 3 });
});
