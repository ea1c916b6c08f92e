import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { deployed, TestFleet } from '../../test/support/placement.ts';
import { parseAccelerators } from './accelerator-catalog.ts';
import { ACCELERATOR_KINDS, acceleratorKind, acceleratorKinds, catalogPrices, extendCatalog, findAcceleratorKind } from './accelerators.ts';
import { UellmError } from './errors.ts';
import { expandAccelerators, hostSpecSchema } from './fleet.ts';
import { KNOWN_CONFIGS, modelShape } from './model-spec.ts';
import { derivedStepTime, priorStepTime } from './step-time.ts';
import { GIB } from './units.ts';

const FILE = 'accelerators.yaml';
const H100_PCIE = {
  id: 'H100-PCIe',
  aliases: ['H100 PCIe'],
  vendor: 'nvidia',
  memoryGib: 80,
  memoryBandwidthGBs: 2000,
  bf16Tflops: 756,
  linkGBs: 64,
  usdPerHour: 2.1,
};
const kindsOf = (...accelerators: object[]) => parseAccelerators({ accelerators }, FILE);
const issuesOf = (...accelerators: object[]) => {
  try {
    kindsOf(...accelerators);
  } catch (error) {
    if (error instanceof UellmError && error.detail.kind === 'invalid-input') return error.detail.issues;
    throw error;
  }
  throw new Error('nothing was refused');
};

afterEach(() => extendCatalog([]));

describe('a file of accelerators', () => {
  it('gives whole kinds in the units of the catalog', () => {
    expect(kindsOf(H100_PCIE)).toEqual([
      {
        id: 'H100-PCIe',
        aliases: ['H100 PCIe'],
        vendor: 'NVIDIA',
        memoryBytes: 80 * GIB,
        memoryBandwidthBytesPerSecond: 2000e9,
        bf16FlopsPerSecond: 756e12,
        linkBandwidthBytesPerSecond: 64e9,
        hostBandwidthBytesPerSecond: null,
        powerWatts: null,
        usdPerHour: 2.1,
        priceSource: FILE,
      },
    ]);
  });

  it('changes of a kind that is there only what it names', () => {
    const [changed] = kindsOf({ id: 'h100-sxm', usdPerHour: 1.99, aliases: ['our-h100'] });
    const before = ACCELERATOR_KINDS.find((k) => k.id === 'H100-SXM')!;
    expect(changed).toEqual({ ...before, aliases: [...before.aliases, 'our-h100'], usdPerHour: 1.99, priceSource: FILE });
  });

  it.each([
    ['an absent figure', { memoryGib: undefined }, 'memoryGib', 'nothing', 'a number from 1 to 4096 (GiB)'],
    ['a negative one', { bf16Tflops: -756 }, 'bf16Tflops', '-756', 'a number from 1 to 100000 (TFLOP/s, dense)'],
    ['bytes for GiB', { memoryGib: 85_899_345_920 }, 'memoryGib', '85899345920', 'a number from 1 to 4096 (GiB)'],
    ['TB/s for GB/s', { memoryBandwidthGBs: 3.35 }, 'memoryBandwidthGBs', '3.35', 'a number from 10 to 100000 (GB/s)'],
    ['a text', { powerWatts: '700' }, 'powerWatts', '"700"', 'a number from 10 to 20000 (W)'],
    ['an unknown field', { memoryGB: 80 }, 'memoryGB', '80', 'no such field (unknown fields are refused)'],
    ['no vendor', { vendor: undefined }, 'vendor', 'nothing', 'its maker: NVIDIA, AMD, Intel, Google or another'],
    ['no name for an id', { id: 'H100/PCIe' }, 'id', '"H100/PCIe"', 'a name of 1 to 63 letters, digits, dots, dashes or underscores'],
    ['an empty alias', { aliases: [' '] }, 'aliases[0]', '" "', 'a text with a length of at least 1'],
    [`another kind's alias`, { aliases: ['H200'] }, 'aliases[0]', '"H200"', 'a name that no other kind has: H200-SXM has this one'],
    [`another kind's alias as id`, { id: 'H100' }, 'id', '"H100"', 'a name that no other kind has: H100-SXM has this one'],
  ])('refuses %s', (_, fields, field, given, allowed) => {
    expect(issuesOf({ ...H100_PCIE, ...fields })).toEqual([{ field: `accelerators[0].${field}`, given, allowed }]);
  });

  it('refuses an id twice, and a name that two of its kinds share, and names all that is wrong', () => {
    expect(issuesOf(H100_PCIE, { ...H100_PCIE, id: 'h100-pcie' }).map((i) => i.field)).toEqual(['accelerators[1].id']);
    expect(issuesOf(H100_PCIE, { ...H100_PCIE, id: 'other', memoryGib: 0 }).map((i) => i.field)).toEqual(['accelerators[1].memoryGib']);
    expect(issuesOf(H100_PCIE, { ...H100_PCIE, id: 'other' }).map((i) => i.field)).toEqual([
      'accelerators[0].aliases[0]',
      'accelerators[1].aliases[0]',
    ]);
    expect(() => parseAccelerators([H100_PCIE], FILE)).toThrow('accelerators.yaml is not valid');
  });
});

describe('the catalog', () => {
  it('has no name twice', () => {
    const names = ACCELERATOR_KINDS.flatMap((k) => [k.id, ...k.aliases].map((name) => name.toLowerCase()));
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  it('takes the kinds of a file, the same ones again without effect, and gives them back', () => {
    expect(findAcceleratorKind('h100 pcie')).toBeUndefined();
    for (let i = 0; i < 2; i++) extendCatalog(kindsOf(H100_PCIE, { id: 'L40S', usdPerHour: 0.9 }));
    expect(acceleratorKind('h100 pcie').id).toBe('H100-PCIe');
    expect(acceleratorKinds()).toHaveLength(ACCELERATOR_KINDS.length + 1);
    expect(catalogPrices()).toMatchObject({ 'H100-PCIe': 2.1, L40S: 0.9, 'H100-SXM': 2.95 });
    extendCatalog(acceleratorKinds());
    expect(acceleratorKinds()).toHaveLength(ACCELERATOR_KINDS.length + 1);
    extendCatalog([]);
    expect(acceleratorKinds()).toEqual(ACCELERATOR_KINDS);
    expect(catalogPrices()).not.toHaveProperty('H100-PCIe');
  });
});

describe('from a file to a placement', () => {
  const text = `
accelerators:
  - { id: Ascend-910B, aliases: [npu-910b], vendor: Huawei, memoryGib: 64, memoryBandwidthGBs: 1600, bf16Tflops: 320, linkGBs: 56, usdPerHour: 0.8 }
`;
  const declare = () => hostSpecSchema.safeParse({ name: 'npu-1', accelerators: [{ kind: 'npu-910b', count: 2 }], simulated: true });

  it('a host with a kind of the file is declared, priced and planned on, at step times derived from its figures', () => {
    expect(declare().success).toBe(false);
    extendCatalog(parseAccelerators(parse(text), FILE));
    const spec = declare().data!;
    const accelerators = expandAccelerators(spec.accelerators);
    expect(accelerators).toEqual(['Ascend-910B', 'Ascend-910B']);
    const state = { links: [], simulated: true, external: false, liveness: 'alive', service: 'schedulable' } as const;
    const fleet = new TestFleet(
      [{ name: spec.name, accelerators, ...state, links: [] }],
      [deployed({ name: 'chat', model: 'llama-3.1-8b' })],
    );
    fleet.prices = { byKind: catalogPrices(), byHost: {} };
    const { moves, report } = fleet.run('deploy', 'chat');
    expect(moves).toMatchObject([{ kind: 'place', host: 'npu-1', acceleratorKind: 'Ascend-910B', accelerators: [0] }]);
    expect(report.costUsdPerHourAfter).toBe(0.8);

    const shape = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');
    const prior = priorStepTime(shape, acceleratorKind('Ascend-910B'), 1);
    expect(prior.source).toBe('derived');
    // Half of an H100's bandwidth, and of it no more than other vendors' cards reach: reading the weights takes more than twice as long.
    const h100 = derivedStepTime(shape, acceleratorKind('H100-SXM'), 1);
    expect(prior.coefficients.d0 / h100.coefficients.d0).toBeGreaterThan(3350 / 1600);
    expect(prior.coefficients.d0 / h100.coefficients.d0).toBeLessThan((1.3 * 3350) / 1600);
  });
});
