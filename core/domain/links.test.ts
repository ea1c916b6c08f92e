import { describe, expect, it } from 'vitest';
import { acceleratorKind } from './accelerators.ts';
import { type LinkEnd, type LinkSpec, linkBetween } from './links.ts';

const end = (host: string, kind: string, links: LinkSpec[] = []): LinkEnd => ({ host, links, accelerator: acceleratorKind(kind) });

describe('linkBetween', () => {
  it('is NVLink among accelerators of a kind that has it, PCIe between kinds of one host', () => {
    expect(linkBetween(end('a', 'H100-SXM'), end('a', 'H100-SXM'))).toEqual({ bandwidthBytesPerSecond: 450e9, latencySeconds: 10e-6 });
    expect(linkBetween(end('a', 'H100-SXM'), end('a', 'L40S'))).toEqual({ bandwidthBytesPerSecond: 18.6e9, latencySeconds: 12e-6 });
    expect(linkBetween(end('a', 'T4'), end('a', 'L40S')).bandwidthBytesPerSecond).toBe(16e9);
  });

  it("is the kind's own fabric where a host only names it", () => {
    const named = (kind: string, link: 'xgmi' | 'nvlink' | 'pcie') =>
      linkBetween(end('a', kind, [{ between: 'accelerators', kind: link }]), end('a', kind, [{ between: 'accelerators', kind: link }]));
    expect(named('MI300X', 'xgmi').bandwidthBytesPerSecond).toBe(448e9);
    expect(named('H100-SXM', 'nvlink').bandwidthBytesPerSecond).toBe(450e9);
    expect(named('H100-SXM', 'pcie').bandwidthBytesPerSecond).toBe(18.6e9);
  });

  it('is Ethernet between hosts that declare nothing, else the slower of what they declare', () => {
    const infiniband: LinkSpec[] = [{ between: 'hosts', kind: 'infiniband' }];
    const slow: LinkSpec[] = [{ between: 'hosts', bandwidthBytesPerSecond: 1e9 }];
    const [ethernet, fast] = [
      { bandwidthBytesPerSecond: 8e9, latencySeconds: 29e-6 },
      { bandwidthBytesPerSecond: 36e9, latencySeconds: 19e-6 },
    ];
    expect(linkBetween(end('a', 'H100-SXM'), end('b', 'H100-SXM'))).toEqual(ethernet);
    expect(linkBetween(end('a', 'H100-SXM', infiniband), end('b', 'H100-SXM', infiniband))).toEqual(fast);
    expect(linkBetween(end('a', 'H100-SXM', infiniband), end('b', 'H100-SXM'))).toEqual(ethernet);
    expect(linkBetween(end('a', 'L40S', slow), end('b', 'L40S', infiniband)).bandwidthBytesPerSecond).toBe(1e9);
  });
});
