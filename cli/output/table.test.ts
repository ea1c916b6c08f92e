import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutPainted, paint, toneOf } from './colour.ts';
import { age, ms, percent } from './figures.ts';
import { renderTable } from './table.ts';

const rows = [
  ['h1', 'a reason that is rather long', 'x'],
  ['a-host-with-a-name', '', { text: 'ready', tone: 'good' as const }],
];
const header = ['NAME', 'REASON', 'STATE'];

describe('renderTable', () => {
  it('is as wide as what is in it where nobody looks', () => {
    expect(renderTable(header, rows, { columns: Number.POSITIVE_INFINITY, colour: false })).toBe(
      [
        'NAME                REASON                        STATE',
        'h1                  a reason that is rather long  x',
        'a-host-with-a-name                                ready',
        '',
      ].join('\n'),
    );
  });
  it('cuts its widest columns to fit a terminal', () => {
    expect(renderTable(header, rows, { columns: 36, colour: false })).toBe(
      ['NAME           REASON          STATE', 'h1             a reason that…  x', 'a-host-with-…                  ready', ''].join('\n'),
    );
  });
  it('fits any terminal', () => {
    const cell = fc.string({ unit: 'grapheme-ascii', maxLength: 60 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, cell), { maxLength: 5 }), fc.integer({ min: 5, max: 120 }), (cells, columns) => {
        const lines = renderTable(header, cells, { columns, colour: false }).split('\n');
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
      }),
    );
  });
  it('colours without moving anything', () => {
    const plain = renderTable(header, rows, { columns: 80, colour: false });
    const coloured = renderTable(header, rows, { columns: 80, colour: true });
    expect(coloured).toContain(paint('ready', 'good', true));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(coloured.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
  });
});

describe('cutPainted', () => {
  const line = `${paint('running', 'busy', true)} at start: moving`;
  it.each([
    [100, line],
    [13, `${paint('running', 'busy', true)} at s…`],
    [4, `${paint('run', 'busy', true)}…`],
  ])('to %i', (width, cut) => expect(cutPainted(line, width)).toBe(cut));
});

describe('figures', () => {
  it.each([
    [ms(undefined), '-'],
    [ms(3.25), '3.3 ms'],
    [ms(500), '500 ms'],
    [ms(30_000), '30.0 s'],
    [percent(0.99), '99 %'],
    [percent(0.98765), '98.77 %'],
    [percent(null), '-'],
    [age('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:59Z')), '59 s'],
    [age('2026-01-01T00:00:00Z', Date.parse('2026-01-01T02:30:00Z')), '2 h'],
    [age('2026-01-01T00:00:00Z', Date.parse('2025-01-01T00:00:00Z')), '0 s'],
  ])('are written %s', (text, expected) => expect(text).toBe(expected));

  it.each([
    ['ready', 'good'],
    ['rolled-back', 'bad'],
    ['stopped', 'dim'],
    ['draining', 'busy'],
  ])('%s looks %s', (state, tone) => expect(toneOf(state)).toBe(tone));
});
