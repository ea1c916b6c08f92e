import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { HostProbe } from '../core/domain/host-probe.ts';
import { parseObject } from '../core/domain/objects.ts';
import { describeProbe } from './host-probe.ts';

const found = (index: number, kind: string | null) => ({ index, kind, name: kind ?? 'NVIDIA H100 PCIe', vendor: 'NVIDIA', memoryBytes: 1 });
const probe = (accelerators: HostProbe['accelerators'], more: Partial<HostProbe> = {}): HostProbe => ({
  accelerators,
  links: [],
  problems: [],
  listed: ['NVIDIA'],
  ...more,
});

describe('what a host has, as a document', () => {
  it('is one that apply takes, in the order of the indexes', () => {
    const { document, notes } = describeProbe('gpu-1', probe([found(0, 'H100-SXM'), found(1, 'H100-SXM'), found(2, 'L40S')]));
    expect(notes).toEqual([]);
    expect(parseObject(parse(document), 'the document')).toMatchObject({
      kind: 'Host',
      spec: {
        name: 'gpu-1',
        accelerators: [
          { kind: 'H100-SXM', count: 2 },
          { kind: 'L40S', count: 1 },
        ],
        links: [],
        simulated: false,
      },
    });
  });

  it('says where fast links are missing, and leaves those that are there to the catalog', () => {
    const two = (kind: string, link: 'nvlink' | 'pcie') =>
      parse(describeProbe('h', probe([found(0, kind), found(1, kind)], { links: [{ kind: link, pairs: [[0, 1]] }] })).document).links;
    expect(two('H100-SXM', 'pcie')).toEqual([{ between: 'accelerators', kind: 'pcie' }]);
    expect(two('H100-SXM', 'nvlink')).toBeUndefined();
    expect(two('L40S', 'pcie')).toBeUndefined();
  });

  it('is none where it would be wrong', () => {
    const problems: HostProbe['problems'] = [{ tool: 'nvidia-smi', kind: 'unknown-kind', message: 'a name' }];
    expect(describeProbe('h', probe([found(0, 'L4'), found(1, null)], { problems }))).toEqual({
      document: '',
      notes: ['nvidia-smi: a name'],
    });
    expect(describeProbe('h', probe([found(0, 'L4'), found(2, 'L4')]))).toEqual({
      document: '',
      notes: ['only the accelerators 0, 2 work: declare those as well that should be there'],
    });
    expect(describeProbe('h', probe([]))).toEqual({ document: '', notes: ['no accelerators found'] });
  });
});
