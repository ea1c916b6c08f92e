import { describe, expect, it } from 'vitest';
import type { HostResource, ReplicaResource } from '../../../api/schema/index.ts';
import { blocksOf, describeAccelerators, joint, linkTexts, memoryParts, memoryText, notesOf, seriesOf } from './fleet-map.ts';

const host = (count: number, more: Partial<HostResource> = {}) =>
  ({ name: 'a', accelerators: [{ kind: 'L40S', count }], links: [], simulated: true, ...more }) as HostResource;
const replica = (id: string, accelerators: number[], on = 'a') => ({ id, host: on, accelerators }) as ReplicaResource;
const shape = (h: HostResource, replicas: ReplicaResource[]) =>
  blocksOf(h, replicas).map((b) => `${b.replica?.id ?? 'free'} ${b.first}+${b.count}`);

describe('blocksOf', () => {
  it('draws a replica as one piece and free accelerators one by one', () => {
    expect(shape(host(4), [replica('x', [1, 2])])).toEqual(['free 0+1', 'x 1+2', 'free 3+1']);
  });

  it('keeps replicas side by side apart, and those of other hosts out', () => {
    expect(shape(host(3), [replica('x', [0]), replica('y', [1]), replica('z', [2], 'b')])).toEqual(['x 0+1', 'y 1+1', 'free 2+1']);
  });

  it('breaks at the end of a row', () => {
    expect(shape(host(8), [replica('x', [0, 1, 2, 3, 4, 5, 6, 7])])).toEqual(['x 0+4', 'x 4+4']);
    expect(shape(host(6), [replica('x', [3, 4])])).toEqual(['free 0+1', 'free 1+1', 'free 2+1', 'x 3+1', 'x 4+1', 'free 5+1']);
  });

  it('knows the kind of each accelerator of a mixed host', () => {
    const mixed = host(1, {
      accelerators: [
        { kind: 'L40S', count: 1 },
        { kind: 'T4', count: 1 },
      ],
    });
    expect(blocksOf(mixed, []).map((b) => b.kind)).toEqual(['L40S', 'T4']);
    expect(describeAccelerators(mixed)).toBe('1 × L40S, 1 × T4');
  });
});

it('gives each deployment one colour, by name', () => {
  const series = seriesOf(['b', 'a', 'c']);
  expect(['a', 'b', 'c'].map(series)).toEqual([0, 1, 2]);
  expect(seriesOf([])('unknown')).toBe(0);
});

it('tells what a host finds in itself beside the reason for its state', () => {
  const status = (more: object) => ({ ...host(1), status: { reason: '', inventory: null, ...more } }) as HostResource;
  expect(notesOf(status({}))).toEqual([]);
  const problems = [{ tool: 'nvidia-smi', kind: 'failed', message: 'no driver' }];
  expect(notesOf(status({ reason: 'a drain', inventory: { difference: 'declared 2 L4, found 1', problems } }))).toEqual([
    'a drain',
    'declared 2 L4, found 1',
    'nvidia-smi: no driver',
  ]);
});

describe('memory on the map', () => {
  const GIB = 2 ** 30;
  const holding = (memory: ReplicaResource['status']['memory']) => ({ status: { memory } }) as ReplicaResource;

  it('is weights, then the cache in use, then what is set aside', () => {
    const full = holding({ weightsBytes: 20 * GIB, kvCacheBytes: 40 * GIB, kvUsage: 0.25 });
    expect(memoryParts(full, 80 * GIB)).toEqual({ weights: 0.25, used: 0.125, cache: 0.375 });
    expect(memoryText(full, 80 * GIB)).toBe('20 GiB of weights, 40 GiB of KV cache, 25 % of it in use, of 80 GiB');
  });

  it('is shown as far as it is known', () => {
    const starting = holding({ weightsBytes: 15 * GIB, kvCacheBytes: null, kvUsage: null });
    expect(memoryParts(starting, 80 * GIB)).toMatchObject({ used: 0, cache: 0 });
    expect(memoryText(starting, 80 * GIB)).toBe('15 GiB of weights, of 80 GiB');
    expect(memoryParts(holding(null), 80 * GIB)).toBeNull();
    expect(memoryText(starting, null)).toBe('memory not known');
  });
});

describe('links on the map', () => {
  const link = (bandwidthBytesPerSecond: number, slow: boolean) => ({ bandwidthBytesPerSecond, latencySeconds: 1e-5, slow });
  const linked = (own: object | null, links: object[] = [], inventory: object | null = null) =>
    ({ links, status: { links: { accelerators: own, hosts: link(8e9, true) }, inventory } }) as unknown as HostResource;

  it('are named as declared, or as found', () => {
    expect(linkTexts(linked(link(450e9, false)))).toEqual({ accelerators: '450 GB/s', hosts: '8 GB/s' });
    const declared = linked(link(18.6e9, true), [{ between: 'accelerators', kind: 'pcie' }]);
    expect(linkTexts(declared).accelerators).toBe('PCIe, 18.6 GB/s');
    expect(linkTexts(linked(link(300e9, false), [], { links: [{ kind: 'nvlink', pairs: [[0, 1]] }] })).accelerators).toBe(
      'NVLink, 300 GB/s',
    );
    expect(linkTexts(linked(null)).accelerators).toBeNull();
  });

  it('join blocks of a row', () => {
    const at = (first: number) => ({ kind: 'L4', first, count: 1, replica: null });
    expect([0, 1, 4, 5].map((first) => joint(linked(link(450e9, false)), at(first)))).toEqual(['none', 'fast', 'none', 'fast']);
    expect(joint(linked(link(8e9, true)), at(1))).toBe('slow');
    expect(joint(linked(null), at(1))).toBe('none');
  });
});
