import { describe, expect, it } from 'vitest';
import { deployed, TestFleet } from '../../test/support/placement.ts';
import { checkMoves } from '../placement/check.ts';
import { type HostSpec, hostSpecSchema } from './fleet.ts';
import { type HostProbe, hostProbeSchema, identifyAccelerator } from './host-probe.ts';
import { compareInventory } from './inventory.ts';
import { GIB } from './units.ts';

const MIB = 1024 ** 2;
const specOf = (accelerators: object[], more: object = {}): HostSpec => hostSpecSchema.parse({ name: 'h1', accelerators, ...more });
const eight = specOf([{ kind: 'H100-SXM', count: 8 }]);

function probeOf(kinds: (string | null)[], more: Partial<HostProbe> = {}): HostProbe {
  const accelerators = kinds.flatMap((kind, index) =>
    kind === null ? [] : [{ index, kind, name: kind, vendor: 'NVIDIA', memoryBytes: 80 * GIB }],
  );
  return hostProbeSchema.parse({ accelerators, links: [], problems: [], listed: ['NVIDIA'], ...more });
}
const h100s = (count: number) => Array.from({ length: count }, () => 'H100-SXM');
const unknown = (name: string, vendor: string, memoryGib: number) => ({ index: 0, kind: null, name, vendor, memoryBytes: memoryGib * GIB });

describe('what was declared beside what was found', () => {
  it('agrees', () => {
    expect(compareInventory(eight, probeOf(h100s(8)))).toEqual({ absent: [], difference: null, links: [] });
  });

  it.each([
    ['one fewer', eight, probeOf(h100s(7)), [7], 'declared 8 H100-SXM, found 7; nothing is placed on accelerator 7'],
    [
      'one gone from the middle',
      eight,
      probeOf([...h100s(3), null, ...h100s(4)]),
      [3],
      'declared 8 H100-SXM, found 7; nothing is placed on accelerator 3',
    ],
    ['none', specOf([{ kind: 'T4', count: 2 }]), probeOf([]), [0, 1], 'declared 2 T4, found none; nothing is placed on accelerators 0, 1'],
    ['more', specOf([{ kind: 'H100-SXM', count: 4 }]), probeOf(h100s(8)), [], 'declared 4 H100-SXM, found 8'],
    [
      'another kind',
      specOf([{ kind: 'H100-SXM', count: 2 }]),
      probeOf(['L40S', 'L40S']),
      [0, 1],
      'declared 2 H100-SXM, found 2 L40S; nothing is placed on accelerators 0, 1',
    ],
    [
      'another vendor, whose tool alone is there',
      specOf([{ kind: 'MI300X', count: 1 }]),
      probeOf(['H100-SXM']),
      [0],
      'declared 1 MI300X, found 1 H100-SXM; nothing is placed on accelerator 0',
    ],
    [
      'kinds in another order',
      specOf([
        { kind: 'H100-SXM', count: 1 },
        { kind: 'L40S', count: 1 },
      ]),
      probeOf(['L40S', 'H100-SXM']),
      [0, 1],
      'declared 1 H100-SXM, 1 L40S, found 1 L40S, 1 H100-SXM; nothing is placed on accelerators 0, 1',
    ],
    [
      'a name that the catalog does not know: perhaps what was declared',
      specOf([{ kind: 'H100-SXM', count: 1 }]),
      probeOf([], { accelerators: [unknown('NVIDIA H100 PCIe', 'NVIDIA', 80)] }),
      [],
      'declared 1 H100-SXM, found 1 "NVIDIA H100 PCIe"',
    ],
    [
      'such a name with too little memory: a part of the device',
      specOf([{ kind: 'MI300X', count: 1 }]),
      probeOf([], { accelerators: [unknown('AMD Instinct MI300X', 'AMD', 24)], listed: ['AMD'] }),
      [0],
      'declared 1 MI300X, found 1 "AMD Instinct MI300X"; nothing is placed on accelerator 0',
    ],
  ])('finds %s', (_, spec, probe, absent, difference) => {
    expect(compareInventory(spec, probe)).toMatchObject({ absent, difference });
  });

  it.each([
    ['no probe', eight, null],
    ['no tool', eight, probeOf([], { listed: [] })],
    ['a tool that failed', eight, probeOf([], { listed: [], problems: [{ tool: 'nvidia-smi', kind: 'failed', message: 'no driver' }] })],
    [
      'a display adapter of another vendor',
      specOf([{ kind: 'TPU-v5e', count: 1 }]),
      probeOf([], { accelerators: [unknown('Radeon', 'AMD', 1)] }),
    ],
    ['a simulated host', specOf([{ kind: 'H100-SXM', count: 8 }], { simulated: true }), probeOf(h100s(1))],
  ])('says nothing with %s', (_, spec, probe) => {
    expect(compareInventory(spec, probe)).toEqual({ absent: [], difference: null, links: [] });
  });

  it('expects no fast links where every pair has PCIe alone, unless links were declared', () => {
    const pcie = probeOf(h100s(2), { links: [{ kind: 'pcie', pairs: [[0, 1]] }] });
    const two = specOf([{ kind: 'H100-SXM', count: 2 }]);
    expect(compareInventory(two, pcie).links).toEqual([{ between: 'accelerators', kind: 'pcie' }]);
    const declared = specOf([{ kind: 'H100-SXM', count: 2 }], { links: [{ between: 'accelerators', kind: 'nvlink' }] });
    expect(compareInventory(declared, pcie).links).toEqual(declared.links);
    const some = probeOf(h100s(3), {
      links: [
        { kind: 'nvlink', pairs: [[0, 1]] },
        {
          kind: 'pcie',
          pairs: [
            [0, 2],
            [1, 2],
          ],
        },
      ],
    });
    expect(compareInventory(two, some).links).toEqual([]);
  });
});

describe('placement', () => {
  it('never uses an accelerator that is not there', () => {
    const { absent } = compareInventory(specOf([{ kind: 'H100-SXM', count: 4 }]), probeOf([null, ...h100s(3)]));
    const state = { links: [], simulated: true, external: false, liveness: 'alive', service: 'schedulable' } as const;
    const host = { name: 'h1', accelerators: h100s(4), absent, ...state, links: [] };
    const wish = (name: string, min: number) => deployed({ name, model: 'llama-3.1-8b', replicas: { min, max: min } });
    const fleet = new TestFleet([host], [wish('chat', 3), wish('more', 1)]);
    const { moves } = fleet.run('deploy', 'chat');
    expect(moves.flatMap((m) => (m.kind === 'place' ? m.accelerators : [])).sort()).toEqual([1, 2, 3]);
    expect(fleet.run('deploy', 'more').report.waiting).toMatchObject([
      { on: 'accelerators', nearest: 'fits with 1 more H100-SXM on host h1' },
    ]);

    const late = { ...host, absent: [1] };
    const { kept, trimmed } = checkMoves(moves, { hosts: [late], replicas: [] });
    expect([kept.length, trimmed.map((t) => t.refusal.message)]).toEqual([2, ['host h1 does not find its accelerator 1']]);
  });
});

describe('the kind behind a name', () => {
  it.each([
    ['NVIDIA', 'NVIDIA H100 80GB HBM3', 81_559, 'H100-SXM'],
    ['NVIDIA', 'NVIDIA A100-SXM4-80GB', 81_920, 'A100-80G-SXM'],
    ['NVIDIA', 'A100-SXM4-40GB', 40_536, 'A100-40G-SXM'],
    ['NVIDIA', 'NVIDIA L40S', 46_068, 'L40S'],
    ['NVIDIA', 'NVIDIA L4', 23_034, 'L4'],
    ['NVIDIA', 'NVIDIA A10G', 22_731, 'A10G'],
    ['NVIDIA', 'NVIDIA A40', 46_068, 'A40'],
    ['NVIDIA', 'NVIDIA RTX A6000', 49_140, 'A6000'],
    ['NVIDIA', 'NVIDIA GeForce RTX 4090', 24_564, 'RTX4090'],
    ['NVIDIA', 'Tesla T4', 15_360, 'T4'],
    ['NVIDIA', 'Tesla V100-SXM2-16GB', 16_160, 'V100-16'],
    ['NVIDIA', 'NVIDIA H200', 143_771, 'H200-SXM'],
    ['NVIDIA', 'NVIDIA B200', 183_359, 'B200-SXM'],
    ['NVIDIA', 'NVIDIA RTX PRO 6000 Blackwell Server Edition', 97_887, 'RTXPRO6000-SE'],
    ['AMD', 'AMD Instinct MI300X', 196_592, 'MI300X'],
    ['AMD', 'MI300X-O', 196_288, 'MI300X'],
    ['AMD', 'AMD Instinct MI300X VF', 196_592, 'MI300X'],
    ['Intel', 'HL-225', 98_304, 'Gaudi2'],
    ['Intel', 'HL-325L', 131_072, 'Gaudi3'],
  ])('%s: %s with %i MiB', (vendor, name, mib, kind) => {
    expect(identifyAccelerator(vendor, name, mib * MIB)?.id).toBe(kind);
  });

  it.each([
    ['a form of the card with other figures', 'NVIDIA', 'NVIDIA H100 PCIe', 81_559],
    ['another form', 'NVIDIA', 'NVIDIA H100 NVL', 95_830],
    ['more memory than the kind of that name', 'NVIDIA', 'Tesla V100-SXM2-32GB', 32_510],
    ['a card without NVLink', 'NVIDIA', 'NVIDIA A100-PCIE-40GB', 40_536],
    ['another edition', 'NVIDIA', 'NVIDIA RTX PRO 6000 Blackwell Workstation Edition', 97_887],
    ['a name that is the beginning of another', 'NVIDIA', 'NVIDIA A10', 23_028],
    ['a slice for a virtual machine', 'NVIDIA', 'GRID A100-20C', 20_480],
    ['a part of a device', 'AMD', 'AMD Instinct MI300X', 24_574],
    ['the newer one', 'AMD', 'AMD Instinct MI325X', 262_128],
    [`another vendor's tool`, 'AMD', 'NVIDIA L4', 23_034],
    ['a card of another form', 'Intel', 'HL-338', 131_072],
    ['unknown memory', 'NVIDIA', 'NVIDIA H200', null],
  ])('is not guessed for %s', (_, vendor, name, mib) => {
    expect(identifyAccelerator(vendor, name, mib === null ? null : mib * MIB)).toBeNull();
  });
});
