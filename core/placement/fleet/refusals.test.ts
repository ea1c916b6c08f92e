/** Why a deployment is not served, and that what is named as nearest really would do: planned again with it, it is. */
import { describe, expect, it } from 'vitest';
import { fleetInput, presentReplica } from '../../../test/support/fleet-planning.ts';
import { deployed, fleetOf } from '../../../test/support/placement.ts';
import type { SloTargets } from '../../domain/slo-policy.ts';
import type { DeploymentDemand } from '../types.ts';
import { planFleet } from './fleet-plan.ts';
import { loadHighsSolver } from './highs.ts';
import type { FleetInput } from './problem.ts';

const solver = await loadHighsSolver();
const plan = (input: FleetInput) => planFleet(input, solver, { exact: true });
const refusalOf = (input: FleetInput) => {
  const { refusals } = plan(input);
  expect(refusals).toHaveLength(1);
  return refusals[0]!;
};
const expectServed = (input: FleetInput) => expect(plan(input).refusals).toEqual([]);

interface Asked {
  name?: string;
  model?: string;
  requestsPerSecond?: number;
  replicas?: { min: number; max: number };
  placement?: { hosts?: string[]; accelerators?: string[] };
  targets?: SloTargets | null;
}

function asked({
  name = 'd',
  model = 'llama-3.1-8b',
  requestsPerSecond = 1,
  replicas = { min: 0, max: 100 },
  ...rest
}: Asked): DeploymentDemand {
  return deployed({ name, model, replicas, demand: { requestsPerSecond }, targets: { tpotMs: 100, attainment: 0.9 }, ...rest });
}

/** With so many more accelerators as the refusal names, in hosts as wide as it names. */
function withMore(input: FleetInput, nearest: string): FleetInput {
  const [, count, kind, group = '1'] = /^fits with (\d+) more ([\w-]+)(?:, (\d+) to a host at least)?$/.exec(nearest) ?? [];
  const hosts = Array.from({ length: Number(count) / Number(group) }, (_, i) => fleetOf(`more-${i}: ${group} ${kind}`)[0]!);
  expect(hosts.length).toBeGreaterThan(0);
  return { ...input, hosts: [...input.hosts, ...hosts] };
}

describe('a refusal', () => {
  it('of memory names a width that would hold the model, where the kinds there are have one', () => {
    const big = asked({ model: 'llama-3.1-70b', requestsPerSecond: 0.1, targets: null });
    const input = fleetInput(['a: 1 H100-SXM', 'b: 1 H100-SXM'], [big]);
    const { nearest, ...refusal } = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'memory', subject: 'd' });
    expect(refusal.message).toMatch(/^131 GiB of weights and a KV cache of \d+ tokens fit the accelerators of no host$/);
    const [, width] = /^fits on (\d) H100-SXM in one host$/.exec(nearest!) ?? [];
    expectServed({ ...input, hosts: fleetOf(`c: ${width} H100-SXM`) });
    const hopeless = refusalOf(fleetInput(['a: 8 T4'], [asked({ model: 'qwen3-235b-a22b' })]));
    expect(hopeless).toMatchObject({ on: 'memory' });
    const [, more, kind] = /^fits on (\d) ([\w-]+) in one host, which no host has$/.exec(hopeless.nearest!) ?? [];
    const larger = asked({ model: 'qwen3-235b-a22b', targets: null, requestsPerSecond: 0.1 });
    expectServed(fleetInput([`c: ${more} ${kind}`], [larger]));
  });

  it.each([
    ['hosts', { hosts: ['b'] }, 'hosts b'],
    ['accelerators', { accelerators: ['T4'] }, 'accelerators T4'],
  ])('of placement names a place that the %s list shuts out', (_, placement, told) => {
    const prices = { byKind: { 'H100-SXM': 3, T4: 0.4 }, byHost: {} };
    const input = { ...fleetInput(['a: 2 H100-SXM', 'b: 1 T4'], [asked({ placement })]), prices };
    expect(refusalOf(input)).toEqual({
      ...{ kind: 'refused', on: 'placement', subject: 'd' },
      message: `it fits none of what its placement allows: ${told}`,
      nearest: 'fits on 1 H100-SXM of host a',
    });
    expectServed({ ...input, deployments: [asked({ placement: { hosts: ['a'], accelerators: ['H100-SXM'] } })] });
  });

  it.each([
    ['TPOT', { tpotMs: 2, attainment: 0.9 }],
    ['TTFT', { ttftMs: 5, tpotMs: 100, attainment: 0.9 }],
    ['end to end', { e2eMs: 500, attainment: 0.9 }],
  ] as const)('of an SLO names the %s at which it would be served', (target, targets) => {
    const input = fleetInput(['a: 2 H100-SXM', 'b: 4 L40S'], [asked({ targets, requestsPerSecond: 0.5 })]);
    const { nearest, ...refusal } = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'slo', subject: 'd' });
    const [, name, ms] = /^fits at (TPOT|TTFT|end to end) (\d+) ms$/.exec(nearest!) ?? [];
    expect(name).toBe(target);
    const loosened = { TPOT: { tpotMs: Number(ms) }, TTFT: { ttftMs: Number(ms) }, 'end to end': { e2eMs: Number(ms) } }[target];
    // It says which target is in the way and how far: what a replica attains that has little to do.
    const idle = asked({ targets: { ...targets, ...loosened }, requestsPerSecond: 1e-4 });
    expectServed({ ...input, deployments: [idle] });
  });

  it('of a price names the kind to give one', () => {
    const input = fleetInput(['a: 2 H100-SXM'], [asked({})]);
    const unpriced = { ...input, prices: { byKind: {}, byHost: {} } };
    expect(refusalOf(unpriced)).toEqual({
      ...{ kind: 'refused', on: 'price', subject: 'd' },
      message: 'it fits H100-SXM, which has no price, neither in the catalog nor on the host',
      nearest: 'give usdPerHour for H100-SXM',
    });
    expectServed({ ...unpriced, prices: { byKind: {}, byHost: { a: { 'H100-SXM': 2 } } } });
  });

  it('says that others hold what it fits, or that no host takes work', () => {
    const other = asked({ name: 'other' });
    const held = presentReplica('x', { deployment: other, host: 'a', accelerators: [0, 1], kind: 'H100-SXM' });
    const input = fleetInput(['a: 2 H100-SXM'], [asked({})], [held]);
    expect(refusalOf(input)).toEqual({
      ...{ kind: 'waiting', on: 'accelerators', subject: 'd' },
      ...{ message: 'every accelerator that it fits is held by others', nearest: 'fits on 1 H100-SXM of host a' },
    });
    expectServed({ ...input, replicas: [] });
    const closed = fleetInput(['a: 2 H100-SXM'], [asked({})]);
    closed.hosts[0]!.service = 'cordoned';
    expect(refusalOf(closed)).toMatchObject({ kind: 'waiting', on: 'accelerators', message: 'no host that it fits takes new work' });
  });

  it('of accelerators says what is served, and how many more would do', () => {
    const input = fleetInput(['a: 2 L40S', 'b: 1 L40S'], [asked({ requestsPerSecond: 40 })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'waiting', on: 'accelerators', subject: 'd' });
    expect(refusal.message).toMatch(/^3 replicas can serve [\d.]+ req\/s of 40.0 req\/s; no accelerators are left that it fits$/);
    expectServed(withMore(input, refusal.nearest!));
  });

  it('names whole groups where only wide shapes do', () => {
    const wide = asked({ model: 'llama-3.1-70b', requestsPerSecond: 60 });
    const input = fleetInput(['a: 4 H100-SXM'], [wide]);
    const { nearest } = refusalOf(input);
    expect(nearest).toMatch(/^fits with \d+ more H100-SXM, [48] to a host at least$/);
    expectServed(withMore(input, nearest!));
  });

  it('of a minimum counts replicas', () => {
    const input = fleetInput(['a: 1 L40S', 'b: 1 L40S'], [asked({ requestsPerSecond: 0, replicas: { min: 4, max: 9 } })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ on: 'accelerators', message: '2 of 4 replicas are placed; no accelerators are left that it fits' });
    expect(refusal.nearest).toBe('fits with 2 more L40S');
    expectServed(withMore(input, refusal.nearest!));
  });

  it('of a maximum names one that would do, and that does where there is room', () => {
    const input = fleetInput(['a: 8 L40S'], [asked({ requestsPerSecond: 20, replicas: { min: 0, max: 2 } })]);
    const refusal = refusalOf(input);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'replicas', subject: 'd' });
    expect(refusal.message).toContain('; more than 2 replicas are not allowed');
    const [, max] = /^fits with replicas.max (\d+)$/.exec(refusal.nearest!) ?? [];
    expectServed({ ...input, deployments: [asked({ requestsPerSecond: 20, replicas: { min: 0, max: Number(max) } })] });
  });

  it('names accelerators and a maximum where both are in the way', () => {
    const wanted = (max: number) => asked({ requestsPerSecond: 20, replicas: { min: 0, max } });
    const input = fleetInput(['a: 2 L40S'], [wanted(2)]);
    const { on, nearest } = refusalOf(input);
    expect(on).toBe('accelerators');
    const [, accelerators, max] = /^(fits with \d+ more L40S), and replicas.max (\d+)$/.exec(nearest!) ?? [];
    expectServed(withMore({ ...input, deployments: [wanted(Number(max))] }, accelerators!));
  });

  it('is there for every deployment that is short, and for no other', () => {
    const input = fleetInput(['a: 2 L40S'], [asked({ name: 'x', requestsPerSecond: 30 }), asked({ name: 'y', requestsPerSecond: 0 })]);
    expect(plan(input).refusals.map((r) => r.subject)).toEqual(['x']);
  });
});
