import { describe, expect, it } from 'vitest';
import { fleetInput, presentReplica } from '../../../test/support/fleet-planning.ts';
import { deployed } from '../../../test/support/placement.ts';
import { type Grain, poolsOf, priceTiers } from './pools.ts';
import type { FleetInput } from './problem.ts';

const model = 'llama-3.1-8b';
const [chat, batch] = [deployed({ name: 'chat', model }), deployed({ name: 'batch', model })];
const apart = deployed({ name: 'apart', model, placement: { antiAffinity: ['other'] } });
const HOSTS = ['a: 4 L40S', 'b: 2 L40S', 'c: 8 L40S', 'd: 1 T4'];

/** Hosts of each pool. */
function pooled(input: FleetInput, grain: Grain): string[] {
  return poolsOf(input, grain).map(({ kind, hosts }) => `${kind}: ${hosts.map((h) => h.host.name).join(' ')}`);
}

function priced(input: FleetInput, usd: Record<string, number>): FleetInput {
  const byHost = Object.fromEntries(Object.entries(usd).map(([host, L40S]) => [host, { L40S }]));
  return { ...input, prices: { byKind: { L40S: 1, T4: 0.4 }, byHost } };
}

describe('pools', () => {
  it('are hosts of one kind at one price, whatever their size; coarse ones of any price, the cheapest first', () => {
    const input = priced(fleetInput(HOSTS, [chat]), { a: 1.2, c: 1.2 });
    expect(pooled(input, 'fine')).toEqual(['L40S: a c', 'L40S: b', 'T4: d']);
    expect(pooled(input, 'affordable')).toEqual(pooled(input, 'fine'));
    expect(pooled(input, 'coarse')).toEqual(['L40S: b a c', 'T4: d']);
    const [l40s, t4] = poolsOf(input, 'coarse');
    expect(priceTiers(l40s!)).toEqual([
      { accelerators: 2, extraUsdPerHour: 0 },
      { accelerators: 12, extraUsdPerHour: expect.closeTo(0.2, 9) },
    ]);
    expect(priceTiers(t4!)).toEqual([]);
  });

  it('are single hosts where it matters who stands beside whom, or whether an odd width fits', () => {
    const single = ['L40S: a', 'L40S: b', 'L40S: c', 'T4: d'];
    const input = priced(fleetInput(HOSTS, [apart, chat]), {});
    expect(pooled(input, 'fine')).toEqual(single);
    expect(pooled(input, 'coarse')).toEqual(['L40S: a b c', 'T4: d']);
    const odd = { ...chat, spec: { ...chat.spec, engine: { kind: 'simulated' as const, args: { 'tensor-parallel-size': 3 } } } };
    expect(pooled(priced(fleetInput(HOSTS, [odd]), {}), 'fine')).toEqual(single);
  });

  it('are coarse where fine ones would be too many', () => {
    const many = Array.from({ length: 300 }, (_, i) => `h${i}: 8 L40S`);
    const input = priced(fleetInput(many, [chat, batch]), Object.fromEntries(many.map((_, i) => [`h${i}`, 1 + i / 1000])));
    expect(poolsOf(input, 'affordable')).toHaveLength(1);
    expect(poolsOf(input, 'fine')).toHaveLength(300);
    expect(poolsOf({ ...input, deployments: [chat] }, 'affordable')).toHaveLength(300);
  });

  it('are open to what is allowed there, and not beside what is not planned and kept away from', () => {
    const pinned = deployed({ name: 'pinned', model, placement: { hosts: ['b'] } });
    const other = presentReplica('x', { deployment: deployed({ name: 'other', model }), host: 'a', accelerators: [0], kind: 'L40S' });
    const input = priced(fleetInput(['a: 4 L40S', 'b: 2 L40S'], [apart, pinned], [other]), {});
    expect(poolsOf(input, 'coarse').map(({ hosts, open }) => [hosts[0]!.host.name, hosts[0]!.accelerators, open])).toEqual([
      ['a', [1, 2, 3], []],
      ['b', [0, 1], ['apart', 'pinned']],
    ]);
    expect(poolsOf({ ...input, replicas: [{ ...other, state: 'stopped' }] }, 'coarse')[0]!.open).toEqual(['apart']);
  });
});
