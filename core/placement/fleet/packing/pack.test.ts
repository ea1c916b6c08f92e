import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fleetInput, presentReplica } from '../../../../test/support/fleet-planning.ts';
import { deployed } from '../../../../test/support/placement.ts';
import type { Replica } from '../../../domain/replica.ts';
import { openShapeBook } from '../../shapes.ts';
import type { DeploymentDemand } from '../../types.ts';
import { type FleetInput, type FleetProblem, fleetProblem } from '../problem.ts';
import type { PackedReplica } from './board.ts';
import { pack } from './pack.ts';

/** Counts by `deployment/width`, on the first pool that has them. */
function packed(input: FleetInput, counts: Record<string, number>, changes: Partial<FleetProblem> = {}) {
  const problem = { ...fleetProblem(input, openShapeBook(input), undefined, 'coarse'), ...changes };
  const left = { ...counts };
  const perColumn = problem.columns.map(({ wish, width }) => {
    const key = `${problem.wishes[wish]!.deployment.spec.name}/${width}`;
    const count = left[key] ?? 0;
    left[key] = 0;
    return count;
  });
  expect(Object.values(left).every((n) => n === 0)).toBe(true);
  const packing = pack(problem, input, perColumn);
  const text = ({ column, host, accelerators, presentId }: PackedReplica) =>
    `${problem.wishes[problem.columns[column]!.wish]!.deployment.spec.name} ${host} [${accelerators.join(' ')}]${presentId ? ` ${presentId}` : ''}`;
  return { ...packing, texts: packing.replicas.map(text).sort() };
}

const anywhere = { spread: 'none' as const };
const chat = (name = 'chat', placement: object = {}): DeploymentDemand => {
  const made = deployed({ name, model: 'llama-3.1-8b', replicas: { min: 0, max: 64 }, targets: { tpotMs: 200, attainment: 0.9 } });
  return { ...made, spec: { ...made.spec, placement: { ...made.spec.placement, ...placement } } };
};
const on = (deployment: DeploymentDemand, id: string, host: string, ...accelerators: number[]): Replica =>
  presentReplica(id, { deployment, host, accelerators, kind: 'H100-SXM' });

describe('packing', () => {
  it('puts replicas on a host each, as far as there are hosts', () => {
    const input = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM', 'c: 2 H100-SXM'], [chat()]);
    expect(packed(input, { 'chat/1': 2 }).texts).toEqual(['chat a [0]', 'chat c [0]']);
    const hosts = packed(input, { 'chat/1': 4 }).replicas.map((r) => r.host);
    expect(new Set(hosts).size).toBe(3);
  });

  it('fills one host after the other where nobody asks for spread', () => {
    const input = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [chat('chat', anywhere)]);
    expect(packed(input, { 'chat/1': 3 }).texts).toEqual(['chat a [0]', 'chat a [1]', 'chat a [2]']);
  });

  it('keeps what is there where it is, on as many hosts as it stands', () => {
    const c = chat();
    const there = [on(c, 'p1', 'a', 2), on(c, 'p2', 'a', 3), on(c, 'p3', 'b', 1)];
    const input = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [c], there);
    expect(packed(input, { 'chat/1': 3 }).texts).toEqual(['chat a [2] p1', 'chat a [3] p2', 'chat b [1] p3']);
    expect(packed(input, { 'chat/1': 2 }).texts).toEqual(['chat a [2] p1', 'chat b [1] p3']);
    expect(packed(input, { 'chat/1': 4 }).texts).toContain('chat b [0]');
  });

  it('moves narrow replicas out of the way of a wide one only where it must', () => {
    const [c, wide] = [chat(), chat('wide')];
    const there = [on(c, 'p1', 'a', 1), on(c, 'p2', 'b', 2)];
    const withRoom = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM', 'c: 4 H100-SXM'], [c, wide], there);
    expect(packed(withRoom, { 'chat/1': 2, 'wide/4': 1 }).texts).toEqual(['chat a [1] p1', 'chat b [2] p2', 'wide c [0 1 2 3]']);
    const without = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [c, wide], there);
    const { texts, shortOf } = packed(without, { 'chat/1': 2, 'wide/4': 1 });
    expect(shortOf.size).toBe(0);
    expect(texts.filter((t) => t.includes('p1') || t.includes('p2'))).toHaveLength(1);
    expect(texts.filter((t) => t.startsWith('chat'))).toHaveLength(2);
  });

  it('puts nothing on accelerators that others hold, that are absent, or on hosts that take no work', () => {
    const other = chat('other');
    const input = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM', 'c: 4 H100-SXM'], [chat()], [on(other, 'x', 'a', 0, 1)]);
    input.hosts[0]!.absent = [3];
    input.hosts[1]!.service = 'cordoned';
    input.hosts[2]!.liveness = 'suspect';
    const { texts, shortOf } = packed(input, { 'chat/1': 2 });
    expect(texts).toEqual(['chat a [2]']);
    expect([...shortOf.values()]).toEqual([1]);
  });

  it('leaves what is about to leave its accelerators while moves are counted', () => {
    const c = chat('chat', anywhere);
    const there = [on(c, 'p1', 'a', 0), on(c, 'p2', 'a', 1)];
    const input = fleetInput(['a: 4 H100-SXM'], [c, chat('wide')], there);
    expect(packed(input, { 'chat/1': 1, 'wide/2': 1 }, { mostMoves: 5 }).texts).toEqual(['chat a [0] p1', 'wide a [2 3]']);
    const crowded = fleetInput(['a: 3 H100-SXM'], [c, chat('wide')], there);
    expect(packed(crowded, { 'chat/1': 1, 'wide/2': 1 }).texts).toEqual(['chat a [0] p1', 'wide a [1 2]']);
    expect([...packed(crowded, { 'chat/1': 1, 'wide/2': 1 }, { mostMoves: 5 }).shortOf.values()]).toEqual([0]);
  });

  it('keeps replicas of one deployment on a host each where its anti-affinity names itself', () => {
    const alone = chat('chat', { antiAffinity: ['chat'] });
    const input = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [alone]);
    const { texts, shortOf } = packed(input, { 'chat/1': 3 });
    expect(texts).toEqual(['chat a [0]', 'chat b [0]']);
    expect([...shortOf.values()]).toEqual([2]);
    const doubled = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [alone], [on(alone, 'p1', 'a', 0), on(alone, 'p2', 'a', 1)]);
    expect(packed(doubled, { 'chat/1': 2 }).texts).toEqual(['chat a [0] p1', 'chat b [0]']);
  });

  it.each([
    ['the one names the other', { antiAffinity: ['batch'] }, {}],
    ['the other names the one', {}, { antiAffinity: ['chat'] }],
  ])('keeps two deployments apart when %s', (_, first, second) => {
    const input = fleetInput(
      ['a: 4 H100-SXM', 'b: 4 H100-SXM'],
      [chat('batch', { ...anywhere, ...second }), chat('chat', { ...anywhere, ...first })],
    );
    const { texts, shortOf } = packed(input, { 'batch/1': 2, 'chat/1': 2 });
    expect(texts).toEqual(['batch a [0]', 'batch a [1]', 'chat b [0]', 'chat b [1]']);
    expect(shortOf.size).toBe(0);
  });

  it('keeps away from what is not planned, too', () => {
    const other = chat('other');
    const there = [on(other, 'x', 'a', 0)];
    const input = fleetInput(['a: 4 H100-SXM', 'b: 4 H100-SXM'], [chat('chat', { antiAffinity: ['other'] })], there);
    expect(packed(input, { 'chat/1': 2 }).texts.every((t) => t.startsWith('chat b'))).toBe(true);
  });

  it('holds any counts of powers of two that the hosts have room for, whatever is there', () => {
    const counts = fc.record({ w8: fc.nat(3), w4: fc.nat(6), w2: fc.nat(8), w1: fc.nat(16) });
    const hosts = fc.array(fc.constantFrom(1, 2, 3, 4, 6, 8), { minLength: 1, maxLength: 4 });
    const there = fc.array(fc.tuple(fc.nat(3), fc.nat(7)), { maxLength: 10 });
    fc.assert(
      fc.property(hosts, counts, there, (widths, { w8, w4, w2, w1 }, places) => {
        const c = chat();
        const seen = new Set<string>();
        const present = places.flatMap(([h, a], i) => {
          const id = `${h}/${a}`;
          if (h >= widths.length || a >= widths[h]! || seen.has(id)) return [];
          seen.add(id);
          return [on(c, `p${i}`, `h${h}`, a)];
        });
        const names = widths.map((n, h) => `h${h}: ${n} H100-SXM`);
        const slots = (w: number) => widths.reduce((sum, n) => sum + Math.floor(n / w) * w, 0);
        const taken = [w8 * 8, w4 * 4, w2 * 2, w1].map((_, i, all) => all.slice(0, i + 1).reduce((a, b) => a + b, 0));
        fc.pre([8, 4, 2, 1].every((w, i) => taken[i]! <= slots(w)));
        const wanted = Object.entries({ 'chat/8': w8, 'chat/4': w4, 'chat/2': w2, 'chat/1': w1 }).filter(([, n]) => n > 0);
        const { shortOf, replicas } = packed(fleetInput(names, [c], present), Object.fromEntries(wanted));
        expect(shortOf.size).toBe(0);
        const used = replicas.flatMap((r) => r.accelerators.map((a) => `${r.host}/${a}`));
        expect(new Set(used).size).toBe(used.length);
        expect(replicas).toHaveLength(w8 + w4 + w2 + w1);
      }),
      { numRuns: 80, seed: 5 },
    );
  });
});
