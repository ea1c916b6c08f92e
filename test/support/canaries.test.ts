import { describe, expect, it } from 'vitest';
import { flock, traces } from './canaries.ts';

const { marker, word } = flock('Canary');
const found = (text: string | Buffer) => traces(marker, [{ name: 'x', bytes: Buffer.from(text) }]);

describe('traces of a canary', () => {
  it('are found in any case and width, with what follows', () => {
    expect(found(`before ${word('chat')} behind`)).toEqual([`x: as text: "${word('chat')} behind"`]);
    expect(found(`before${word('chat').toLowerCase()}`)).toHaveLength(1);
    expect(found(`before${word('chat').toUpperCase()}`)).toHaveLength(1);
    expect(found(Buffer.from(`before ${word('chat')}`, 'utf16le'))).toEqual([expect.stringContaining('UTF-16')]);
    expect(
      found(
        Buffer.from(`before ${word('chat')}`)
          .toString('hex')
          .toUpperCase(),
      ),
    ).toEqual([expect.stringContaining('hexadecimal')]);
  });

  it.each([0, 1, 2, 3, 4, 5])('are found in base64 behind %d bytes of something else', (before) => {
    for (const text of [word('chat'), word('chat').toLowerCase()]) {
      const bytes = Buffer.from(`${'?'.repeat(before)}${text}??`);
      for (const encoding of ['base64', 'base64url'] as const) expect(found(bytes.toString(encoding))).toEqual(['x: as base64']);
    }
  });

  it('are not found where there are none, nor those of another flock', () => {
    expect(found('nothing')).toEqual([]);
    expect(found(flock('Canary').word('chat'))).toEqual([]);
    expect(found(marker.slice(0, -1))).toEqual([]);
  });
});
