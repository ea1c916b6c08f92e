import { expect, it } from 'vitest';
import { parseHlSmi } from './hl-smi.ts';
import { MIB } from './reading.ts';

it('lists devices under a header, in no order', () => {
  const text = 'index, name, memory.total [MiB]\n4, HL-325L, 131072 MiB\n0, HL-325L, 131072 MiB\n';
  expect(parseHlSmi(text)).toEqual({
    devices: [
      { index: 4, name: 'HL-325L', memoryBytes: 131_072 * MIB },
      { index: 0, name: 'HL-325L', memoryBytes: 131_072 * MIB },
    ],
    problems: [],
    listed: true,
  });
});

it('finds the columns by their names, and without them in the order asked for', () => {
  const wide = 'index, name, bus_id, memory.total [MiB]\n0, HL-225, 0000:33:00.0, 98304 MiB\n';
  for (const text of [wide, '0, HL-225, 98304\n'])
    expect(parseHlSmi(text).devices).toEqual([{ index: 0, name: 'HL-225', memoryBytes: 98_304 * MIB }]);
});

it('knows an empty list from a failure, and passes over what is no device', () => {
  expect(parseHlSmi('index, name, memory.total [MiB]\n').listed).toBe(true);
  expect(parseHlSmi('').listed).toBe(false);
  expect(parseHlSmi('0, HL-225, N/A\nsome words, of, the tool\n').devices).toEqual([{ index: 0, name: 'HL-225', memoryBytes: null }]);
});
