import { describe, expect, it } from 'vitest';
import { createEventParser } from './event-stream.ts';

function parse(...pieces: string[]): string[] {
  const seen: string[] = [];
  const feed = createEventParser('changed', (data) => seen.push(data));
  for (const piece of pieces) feed(piece);
  return seen;
}

describe('createEventParser', () => {
  it('gives the data of each event of its name', () => {
    expect(parse('event: changed\ndata: {"kind":"hosts"}\n\nevent: other\ndata: x\n\nevent: changed\ndata: 2\n\n')).toEqual([
      '{"kind":"hosts"}',
      '2',
    ]);
  });

  it('takes pieces cut anywhere, with any line end', () => {
    const stream = 'event: changed\r\ndata: one\r\ndata: two\r\n\r\n: still here\r\n\r\n';
    for (let cut = 0; cut <= stream.length; cut++) expect(parse(stream.slice(0, cut), stream.slice(cut))).toEqual(['one\ntwo']);
    expect(parse(...stream)).toEqual(['one\ntwo']);
  });

  it('passes over comments, unknown fields and events without data', () => {
    expect(parse(': watching\n\nid: 7\nretry: 5\nevent: changed\n\nevent\ndata\n\n')).toEqual([]);
  });

  it('waits for the empty line that ends an event', () => {
    expect(parse('event: changed\ndata: 1\n')).toEqual([]);
  });
});
