import { describe, expect, it } from 'vitest';
import { presentFleet } from '../../test/support/what-if.ts';
import { hostSpecSchema } from '../domain/fleet.ts';
import { checkChange, NO_CHANGE, type WhatIfChange } from './what-if-change.ts';
import { situations } from './what-if-fleet.ts';

const h9 = hostSpecSchema.parse({ name: 'h9', accelerators: [{ kind: 'H100-SXM', count: 2, usdPerHour: 2 }] });
const changed = (parts: Partial<WhatIfChange>, present = presentFleet()) => situations(present, { ...NO_CHANGE, ...parts });

/** With a host more that has nothing on it. */
function withRoom() {
  const present = presentFleet(['h1', 'h2', 'h3']);
  const isThere = ({ id, replicaId }: { id?: string; replicaId?: string }) => (id ?? replicaId) !== 'on-h3';
  return {
    ...present,
    routed: present.routed.filter(isThere),
    fleet: { ...present.fleet, replicas: present.fleet.replicas.filter(isThere) },
  };
}

describe('a changed fleet', () => {
  it('fills a host that is added, at its own price, as far as replicas.max allows', () => {
    const { after, changes, notes } = changed({ addHosts: [h9] });
    expect(after.replicas.map(({ spec }) => [spec.id, spec.usdPerHour])).toEqual([
      ['on-h1', 2.95],
      ['on-h2', 2.95],
      ['new-1', 2],
      ['new-2', 2],
    ]);
    expect(after.replicas[2]!.spec.stepTime).toEqual(after.replicas[0]!.spec.stepTime);
    expect(changes).toEqual(['host h9 added, with 2 accelerators', 'chat: replicas 2 -> 4, new: 1 × H100-SXM on h9, 1 × H100-SXM on h9']);
    expect(notes).toEqual([]);
    const four = hostSpecSchema.parse({ name: 'h9', accelerators: [{ kind: 'H100-SXM', count: 4 }] });
    expect(changed({ addHosts: [four] }).after.replicas).toHaveLength(4);
  });

  it('says where nothing may be placed on a host that is added', () => {
    const imitation = hostSpecSchema.parse({ name: 'h9', accelerators: [{ kind: 'H100-SXM', count: 1 }], simulated: true });
    expect(changed({ addHosts: [imitation] }).notes).toEqual(['no replica may or can be placed on host h9']);
  });

  it('places the replicas of a host that is removed elsewhere, where there is room', () => {
    const { after, changes, notes } = changed({ removeHosts: ['h2'] }, withRoom());
    expect(after.replicas).toHaveLength(2);
    expect(changes).toEqual(['host h2 removed, with 1 replica that served', 'chat: replicas 2 -> 2, new: 1 × H100-SXM on h3']);
    expect(notes).toEqual([]);
  });

  it('has as many replicas as are asked for, as far as there is room', () => {
    expect(changed({ replicas: { chat: 1 } }).after.replicas.map(({ spec }) => spec.id)).toEqual(['on-h1']);
    const more = changed({ replicas: { chat: 4 } }, withRoom());
    expect([more.after.replicas.length, more.notes]).toEqual([3, ['chat: no room for 1 more replica']]);
    expect(changed({ replicas: { chat: 3 }, addHosts: [h9] }).after.replicas).toHaveLength(3);
  });
});

describe('the present', () => {
  it('is what takes requests, as much of it as monitoring lets in', () => {
    const present = presentFleet();
    const [first, second] = present.routed;
    const routed = [
      { ...first!, kvShare: 0.5, maxInFlightShare: 0.25 },
      { ...second!, weight: 0 },
    ];
    const { before } = situations({ ...present, routed }, NO_CHANGE);
    expect(before.replicas).toMatchObject([
      { deployment: 'chat', spec: { kvCacheTokens: 200_000, maxSequences: 64, scheduling: 'priority' } },
    ]);
  });

  it('costs nothing known where a kind has no price, until one is named', () => {
    const present = presentFleet();
    const fleet = { ...present.fleet, prices: { byKind: {}, byHost: { h1: { 'H100-SXM': 4 } } } };
    const { before, after, changes } = situations({ ...present, fleet }, { ...NO_CHANGE, prices: { 'H100-SXM': 3 } });
    const prices = ({ replicas }: typeof before) => replicas.map(({ spec }) => spec.usdPerHour);
    expect([prices(before), prices(after)]).toEqual([
      [4, null],
      [3, 3],
    ]);
    expect(changes).toEqual(['H100-SXM: 4 or no price -> 3 USD/h']);
  });
});

it.each<[Partial<WhatIfChange>, string]>([
  [{ removeHosts: ['h7'] }, 'removeHosts[0]'],
  [{ addHosts: [{ ...h9, name: 'h1' }] }, 'addHosts[0].name'],
  [{ replicas: { nobody: 2 } }, 'replicas.nobody'],
])('refuses %j', (parts, field) => {
  const issues = [expect.objectContaining({ field, allowed: expect.any(String) })];
  expect(() => checkChange(presentFleet().fleet, { ...NO_CHANGE, ...parts })).toThrow(
    expect.objectContaining({ detail: { kind: 'invalid-input', what: 'the request body', issues } }),
  );
});
