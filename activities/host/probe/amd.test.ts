import { describe, expect, it } from 'vitest';
import { parseAmdSmi } from './amd-smi.ts';
import { MIB } from './reading.ts';
import { parseRocmSmi, parseRocmTopology } from './rocm-smi.ts';

const gpu = (index: number, name: string, size: unknown) => ({
  gpu: index,
  asic: { market_name: name, vendor_id: '0x1002', device_id: '0x74a1', oam_id: index, target_graphics_version: 'gfx942' },
  vram: { type: 'HBM3', vendor: 'N/A', size, bit_width: 8192 },
});
const MI300X = gpu(0, 'AMD Instinct MI300X', { value: 196_592, unit: 'MB' });
const NO_DRIVER = 'ERROR:root:Driver not initialized (amdgpu not found in modules)\n';

describe('amd-smi', () => {
  it.each([
    ['a bare list, until ROCm 6', [MI300X]],
    ['a wrapped one, from ROCm 7 on', { gpu_data: [MI300X] }],
  ])('%s', (_, document) => {
    const reading = { devices: [{ index: 0, name: 'AMD Instinct MI300X', memoryBytes: 196_592 * MIB }], problems: [], listed: true };
    expect(parseAmdSmi(JSON.stringify(document, null, 4))).toEqual(reading);
    expect(
      parseAmdSmi(`WARNING: User is missing the following required groups: render, video. [1]\n${JSON.stringify(document, null, 4)}`),
    ).toEqual(reading);
  });

  it('tells no memory of parts of a device, and may tell it in bytes', () => {
    const text = JSON.stringify([gpu(0, 'N/A', 'N/A'), gpu(3, 'AMD Radeon PRO W7800', { value: 34_359_738_368, unit: 'B' })]);
    expect(parseAmdSmi(text).devices.map((d) => d.memoryBytes)).toEqual([null, 32_768 * MIB]);
  });

  it.each([NO_DRIVER, '', '{"error": 1}', '[{"gpu": 0'])('is no list: %j', (text) => {
    expect(parseAmdSmi(text)).toEqual({ devices: [], problems: [], listed: false });
  });

  it('may list nothing', () => {
    expect(parseAmdSmi('[]')).toEqual({ devices: [], problems: [], listed: true });
  });
});

const card = (series: string, memory: string, key = 'Card Series') => ({
  'VRAM Total Memory (B)': memory,
  'VRAM Total Used Memory (B)': '297791488',
  [key]: series,
  'Card Model': '0x74a1',
  'Card Vendor': 'Advanced Micro Devices, Inc. [AMD/ATI]',
  'GFX Version': 'gfx942',
});

describe('rocm-smi', () => {
  it('lists cards beside what is said of the whole system', () => {
    const document = {
      card0: card('AMD Instinct MI300X', '206141652992'),
      card1: card('AMD INSTINCT MI250 (MCM) OAM AC MBA', '68702699520', 'Card series'),
      system: { 'Driver version': '6.10.5' },
    };
    const text = `WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status\n\n${JSON.stringify(document)}\n`;
    expect(parseRocmSmi(text)).toEqual({
      devices: [
        { index: 0, name: 'AMD Instinct MI300X', memoryBytes: 206_141_652_992 },
        { index: 1, name: 'AMD INSTINCT MI250 (MCM) OAM AC MBA', memoryBytes: 68_702_699_520 },
      ],
      problems: [],
      listed: true,
    });
  });

  it('takes a name rather than a number', () => {
    const text = JSON.stringify({ card0: { ...card('0x74a1', 'N/A'), 'Device Name': 'AMD Instinct MI300X VF' } });
    expect(parseRocmSmi(text).devices).toEqual([{ index: 0, name: 'AMD Instinct MI300X VF', memoryBytes: null }]);
  });

  it('is no list without a card', () => {
    for (const text of [NO_DRIVER, '{}', '']) expect(parseRocmSmi(text).listed).toBe(false);
  });

  it('tells each pair once, from either end', () => {
    const link = (a: number, b: number, type: string) => [`(Topology) Link type between DRM devices ${a} and ${b}`, type];
    const text = JSON.stringify({
      system: Object.fromEntries([
        ['(Topology) Weight between DRM devices 0 and 1', '15'],
        ['(Topology) Hops between DRM devices 0 and 1', '1'],
        link(0, 1, 'XGMI'),
        link(2, 0, 'PCIE'),
        link(1, 2, 'UNKNOWN'),
      ]),
      card0: { '(Topology) Numa Node': '0', '(Topology) Numa Affinity': '0' },
    });
    expect(parseRocmTopology(text)).toEqual([
      { kind: 'xgmi', pair: [0, 1] },
      { kind: 'pcie', pair: [0, 2] },
    ]);
    expect(parseRocmTopology(NO_DRIVER)).toEqual([]);
  });
});
