import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { detectTraceFormat, TRACE_FORMATS, type Trace, type TraceFormat, traceParser } from './trace.ts';

function parse(format: TraceFormat, text: string): Trace {
  const parser = traceParser(format, 'trace');
  for (const line of text.split('\n')) parser.line(line);
  return parser.end();
}

describe('azure', () => {
  it('reads times to the fraction of a millisecond, from the first row on', () => {
    const { requests, rejected } = parse(
      'azure',
      '\uFEFFTIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n\r\n',
    );
    expect(requests).toHaveLength(2);
    expect(requests[0]).toEqual({ arrivalMs: 0, inputTokens: 374, outputTokens: 44 });
    expect(requests[1]!.arrivalMs).toBeCloseTo(4314.579, 2);
    expect(rejected).toEqual({ count: 0, examples: [] });
  });

  it('takes zones, other orders of columns, and rows out of order', () => {
    const { requests } = parse(
      'azure',
      'GeneratedTokens,TIMESTAMP,ContextTokens\n5,2024-05-10 00:00:01+00:00,20\n7,2024-05-10T02:00:00.5+0200,30\n6,2024-05-10 00:00:02Z,10',
    );
    expect(requests.map((r) => r.outputTokens)).toEqual([7, 5, 6]);
    expect(requests.map((r) => r.arrivalMs)).toEqual([0, 500, 1500]);
  });

  it('counts what it rejects, and says why', () => {
    const rows = [
      '2023-11-16 18:15:46,374,44',
      '2023-13-16 18:15:46,1,1',
      '2023-02-30 18:15:46,1,1',
      'soon,1,1',
      '2023-11-16 18:15:47,0,4',
      '2023-11-16 18:15:48,4,1e3',
      'x',
    ];
    const { requests, rejected } = parse('azure', ['TIMESTAMP,ContextTokens,GeneratedTokens', ...rows].join('\n'));
    expect(requests).toHaveLength(1);
    expect(rejected.count).toBe(6);
    expect(rejected.examples.map((e) => e.line)).toEqual([3, 4, 5, 6, 7, 8]);
    expect(rejected.examples[3]!.reason).toBe('ContextTokens: got 0, allowed is a whole number from 1 to 10000000');
  });

  it('refuses a file without a header', () => {
    expect(() => parse('azure', '2023-11-16 18:15:46,374,44')).toThrow('allowed is a header with TIMESTAMP,ContextTokens,GeneratedTokens');
  });
});

describe('what a trace says', () => {
  const row = (more = '') => `{"arrivalMs": 0, "inputTokens": 1, "outputTokens": 1${more}}`;

  it('is read as far as the format goes, and the rest is counted', () => {
    const { requests, notes } = parse('jsonl', [row(', "clas": "x"'), row(), row(', "clas": "y", "note": 1')].join('\n'));
    expect(requests).toHaveLength(3);
    expect(notes.unreadFields).toEqual({ clas: 2, note: 1 });
  });

  it('of classes is one of those that there are', () => {
    const parser = traceParser('jsonl', 'trace', ['chat']);
    for (const line of [row(), row(', "class": "chat"'), row(', "class": "nope"')]) parser.line(line);
    const { requests, rejected } = parser.end();
    expect(requests.map((r) => r.class)).toEqual([undefined, 'chat']);
    expect(rejected.examples).toEqual([{ line: 3, reason: 'class: got "nope", allowed is one of the SLO file\'s: chat' }]);
  });

  it('is of this century, its header may be quoted', () => {
    const text =
      '"TIMESTAMP","ContextTokens","GeneratedTokens"\n2023-11-16 18:15:46,374,44\n0001-11-16 18:15:47,1,1\n2203-11-16 18:15:47,1,1';
    const { requests, rejected } = parse('azure', text);
    expect([requests.length, rejected.count]).toEqual([1, 2]);
    expect(rejected.examples[0]!.reason).toContain('of 2000 to 2099');
  });
});

describe('mooncake', () => {
  it('reads lengths and prefix blocks', () => {
    const { requests } = parse('mooncake', '{"timestamp": 27000, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1]}');
    expect(requests).toEqual([{ arrivalMs: 27_000, inputTokens: 6758, outputTokens: 500, prefixBlocks: [0, 1] }]);
  });
});

describe('rows of JSON', () => {
  const mooncake = { timestamp: 0, input_length: 1, output_length: 1 };
  const own = { arrivalMs: 0, inputTokens: 1, outputTokens: 1 };
  const line = (row: object) => JSON.stringify(row).replaceAll('"infinite"', '1e999');

  it.each([
    ['mooncake', { ...mooncake, timestamp: 1e12, input_length: 10_000_000, hash_ids: [] }],
    ['mooncake', { ...mooncake, hash_ids: [-1, 2 ** 52], type: 'text' }],
    ['jsonl', { ...own, arrivalMs: 0.25, class: 'c'.repeat(63), prompt: '', prefixBlocks: ['a', 1.5] }],
  ] as const)('%s takes %j', (format, row) => {
    expect(parse(format, line(row)).requests).toHaveLength(1);
  });

  it.each([
    ['mooncake', { ...mooncake, timestamp: -1 }],
    ['mooncake', { ...mooncake, timestamp: 1e12 + 1 }],
    ['mooncake', { ...mooncake, timestamp: '0' }],
    ['mooncake', { ...mooncake, input_length: 0 }],
    ['mooncake', { ...mooncake, output_length: 10_000_001 }],
    ['mooncake', { ...mooncake, hash_ids: [1.5] }],
    ['mooncake', { ...mooncake, hash_ids: [2 ** 53] }],
    ['mooncake', { ...mooncake, hash_ids: null }],
    ['jsonl', { ...own, outputTokens: undefined }],
    ['jsonl', { ...own, inputTokens: 1.5 }],
    ['jsonl', { ...own, arrivalMs: 'infinite' }],
    ['jsonl', { ...own, class: '' }],
    ['jsonl', { ...own, class: 'c'.repeat(64) }],
    ['jsonl', { ...own, prompt: null }],
    ['jsonl', { ...own, prefixBlocks: [null] }],
    ['jsonl', { ...own, prefixBlocks: ['infinite'] }],
    ['jsonl', [own]],
  ] as const)('%s rejects %j', (format, row) => {
    const valid = line(format === 'mooncake' ? mooncake : own);
    const { requests, rejected } = parse(format, `${valid}\n${line(row)}`);
    expect(requests).toHaveLength(1);
    expect(rejected.count).toBe(1);
    expect(rejected.examples[0]!.reason).toContain(' got ');
  });
});

describe('jsonl', () => {
  it('reads what the contract names and passes other fields', () => {
    const { requests, rejected } = parse(
      'jsonl',
      '{"arrivalMs":10,"inputTokens":5,"outputTokens":6,"class":"batch","note":1}\n{"arrivalMs":0,"inputTokens":1,"outputTokens":2}\nnope\n{"arrivalMs":-1,"inputTokens":1.5,"outputTokens":2}',
    );
    expect(requests).toEqual([
      { arrivalMs: 0, inputTokens: 1, outputTokens: 2 },
      { arrivalMs: 10, inputTokens: 5, outputTokens: 6, class: 'batch' },
    ]);
    expect(rejected.examples).toEqual([
      { line: 3, reason: 'got "nope", allowed is a JSON object' },
      { line: 4, reason: 'arrivalMs: got -1, allowed is a number of at least 0; inputTokens: got 1.5, allowed is a whole number' },
    ]);
  });

  it('keeps ten examples of many', () => {
    const { rejected } = parse('jsonl', `${'nope\n'.repeat(40)}{"arrivalMs":0,"inputTokens":1,"outputTokens":2}`);
    expect(rejected.count).toBe(40);
    expect(rejected.examples).toHaveLength(10);
  });
});

describe('any format', () => {
  it.each(TRACE_FORMATS)('%s refuses an empty file', (format) => {
    expect(() => parse(format, '\n\n')).toThrow(
      `trace is not valid: the input: got 3 lines without a request, allowed is rows of the ${format}`,
    );
  });

  it.each(TRACE_FORMATS)('%s never throws on a line, and accounts for each', (format) => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string().filter((s) => s.trim() !== '' && s.trim() !== '\uFEFF'),
          { minLength: 1 },
        ),
        (lines) => {
          const parser = traceParser(format, 'trace');
          for (const line of lines) parser.line(line);
          expect(() => parser.end()).toThrow('without a request');
        },
      ),
    );
  });
});

describe('notes', () => {
  const row = (arrivalMs: number, outputTokens = 1, more = '') =>
    `{"arrivalMs":${arrivalMs},"inputTokens":1,"outputTokens":${outputTokens}${more}}`;

  it('has none of a plain trace', () => {
    const { notes } = parse('jsonl', [row(5), row(1005), row(3005)].join('\n'));
    expect(notes).toEqual({ outOfOrder: 0, duplicates: 0, longestGapSeconds: 2, unreadFields: {} });
    expect(parse('jsonl', row(5)).notes).toEqual({ outOfOrder: 0, duplicates: 0, longestGapSeconds: 0, unreadFields: {} });
  });

  it('counts rows out of order, and measures gaps in order', () => {
    const { requests, notes } = parse('jsonl', [row(3000), row(0), row(1000), row(500)].join('\n'));
    expect(requests.map((r) => r.arrivalMs)).toEqual([0, 500, 1000, 3000]);
    expect(notes).toEqual({ outOfOrder: 2, duplicates: 0, longestGapSeconds: 2, unreadFields: {} });
  });

  it('keeps duplicates and counts them, wherever they are', () => {
    const blocks = (...ids: number[]) => `,"prefixBlocks":[${ids}]`;
    const rows = [
      row(1, 1, blocks(1, 2)),
      row(0),
      row(1, 2, blocks(1, 2)),
      row(1, 1, blocks(1, 2)),
      row(1, 1, blocks(12)),
      row(0),
      row(2),
      row(0),
    ];
    const { requests, notes } = parse('jsonl', rows.join('\n'));
    expect(requests).toHaveLength(8);
    expect(notes.duplicates).toBe(3);
  });
});

describe('detectTraceFormat', () => {
  it.each([
    ['TIMESTAMP,ContextTokens,GeneratedTokens', 'azure'],
    ['{"timestamp": 0, "input_length": 6758, "output_length": 500}', 'mooncake'],
    ['{"arrivalMs":0,"inputTokens":1,"outputTokens":2}', 'jsonl'],
    ['num_prefill_tokens,num_decode_tokens', null],
    ['[1]', null],
    ['', null],
  ])('%s is %s', (line, format) => {
    expect(detectTraceFormat(line)).toBe(format);
  });
});

const traces = new URL('../../../../shared/data/traces/', import.meta.url);

describe('real traces', () => {
  beforeEach((context) => context.skip(!existsSync(traces), 'there is no ../shared/data beside this checkout'));
  it.each([
    ['azure', 'azure2023_conv.csv', 19_366, 1155, 0, 4.31],
    ['mooncake', 'mooncake_conversation.jsonl', 12_031, 12_035, 1, 3],
  ] as const)('%s: every row of %s', (format, file, rows, meanInput, duplicates, longestGapSeconds) => {
    const { requests, rejected, notes } = parse(format, readFileSync(new URL(file, traces), 'utf8'));
    expect(requests).toHaveLength(rows);
    expect(notes.outOfOrder).toBe(0);
    expect(notes.duplicates).toBe(duplicates);
    expect(notes.longestGapSeconds).toBeCloseTo(longestGapSeconds, 2);
    expect(rejected.count).toBe(0);
    expect(Math.round(requests.reduce((sum, r) => sum + r.inputTokens, 0) / rows)).toBe(meanInput);
  });
});
