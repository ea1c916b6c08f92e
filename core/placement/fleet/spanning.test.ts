/** Pipelines across hosts: what they owe to antiAffinity and to the least number of replicas, and that they stay where they are. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { carriedOut, fleetInput } from '../../../test/support/fleet-planning.ts';
import { type Deployed, deployed } from '../../../test/support/placement.ts';
import { type FleetPlan, type FleetReplica, planFleet } from './fleet-plan.ts';
import { loadHighsSolver } from './highs.ts';
import type { FleetInput } from './problem.ts';
import type { PresentPipeline } from './spanning.ts';

const solver = await loadHighsSolver();
const plan = (input: FleetInput) => planFleet(input, solver, { exact: true, pipelines: true, priceMoves: input.pipelines !== undefined });

const SLO = { ttftMs: 20_000, tpotMs: 300, attainment: 0.9 };
const large = (more: Partial<Deployed> = {}, antiAffinity?: string[]) => {
  const wish = deployed({
    ...{ name: 'large', model: 'llama-3.1-70b', replicas: { min: 0, max: 9 }, targets: SLO },
    ...{ demand: { requestsPerSecond: 0.1, inputTokens: 500, outputTokens: 100 }, ...more },
  });
  return antiAffinity ? { ...wish, spec: { ...wish.spec, placement: { ...wish.spec.placement, antiAffinity } } } : wish;
};
const small = (min: number) => large({ name: 'small', model: 'llama-3.1-8b', replicas: { min, max: 9 } });

const isSpanning = ({ stages, accelerators }: FleetReplica) =>
  stages !== undefined && stages.reduce((sum, s) => sum + s.accelerators.length, 0) > accelerators.length;

/** As the next plan finds it. */
function there(input: FleetInput, { replicas, ...rest }: FleetPlan): FleetInput {
  const pipelines = replicas
    .filter(isSpanning)
    .map((r, i): PresentPipeline => ({ id: `p-${i}`, deployment: r.deployment, stages: r.stages! }));
  return { ...input, pipelines, replicas: carriedOut({ ...rest, replicas: replicas.filter((r) => !isSpanning(r)) }, input) };
}

describe('pipelines across hosts', () => {
  it('stand in the number that is asked for at least, even where nothing is to be served', () => {
    const hosts = ['a: 2 L40S', 'b: 2 L40S', 'c: 2 L40S', 'd: 2 L40S'];
    for (const [min, requestsPerSecond] of [
      [1, 0],
      [2, 0.1],
    ] as const) {
      const demand = { requestsPerSecond, inputTokens: 500, outputTokens: 100 };
      const { replicas, refusals } = plan(fleetInput(hosts, [large({ replicas: { min, max: 4 }, demand })]));
      expect([replicas.length, refusals]).toEqual([min, []]);
    }
  });

  it('share no host with what they keep apart from, whichever of the two says so', () => {
    const hosts = ['a: 2 L40S', 'b: 3 L40S'];
    const together = plan(fleetInput(hosts, [large(), small(1)]));
    expect(together.refusals).toEqual([]);
    const apart = plan(fleetInput(hosts, [large({}, ['small']), small(1)]));
    // The least number of the small one goes before demand.
    expect(apart.refusals).toMatchObject([{ subject: 'large' }]);
    expect(plan(fleetInput([...hosts, 'c: 1 L40S'], [large({}, ['small']), small(1)])).refusals).toEqual([]);
  });

  it('take from the others only what that brings', () => {
    const busy = { ...small(2), demand: { requestsPerSecond: 30, inputTokens: 300, outputTokens: 50 } };
    const greedy = large({ demand: { requestsPerSecond: 50, inputTokens: 500, outputTokens: 100 } });
    const hosts = Array.from({ length: 6 }, (_, i) => `h${i}: 1 H100-SXM`);
    const { replicas, refusals, unmetPerSecond, lowerBoundUnmetPerSecond } = plan(fleetInput(hosts, [busy, greedy]));
    expect(replicas.filter((r) => r.deployment === 'small').length).toBeGreaterThanOrEqual(2);
    expect(replicas.some((r) => r.deployment === 'large')).toBe(true);
    expect(refusals).toMatchObject([{ subject: 'large' }]);
    expect(lowerBoundUnmetPerSecond).toBeLessThanOrEqual(unmetPerSecond);
    // One that asks for next to nothing does not take away what serves another.
    const few = plan(fleetInput(hosts.slice(0, 2), [busy, large()]));
    expect(few.replicas.map((r) => r.deployment)).toEqual(['small', 'small']);
    expect(few.lowerBoundUnmetPerSecond).toBeLessThanOrEqual(few.unmetPerSecond);
  });

  it('stay where a host comes to hold the model that has too little for all', () => {
    const asked = large({ demand: { requestsPerSecond: 9, inputTokens: 500, outputTokens: 100 } });
    const first = fleetInput(['a: 1 H100-SXM', 'b: 1 H100-SXM', 'c: 1 H100-SXM', 'd: 1 H100-SXM'], [asked]);
    const begun = plan(first);
    const wider = fleetInput(['a: 2 H100-SXM', 'b: 1 H100-SXM', 'c: 1 H100-SXM', 'd: 1 H100-SXM'], [asked]);
    const after = plan({ ...there(first, begun), hosts: wider.hosts });
    expect(begun.replicas.length).toBeGreaterThan(1);
    expect(after.unmetPerSecond).toBeLessThanOrEqual(begun.unmetPerSecond);
  });

  it('have a host each of their own where they ask for that', () => {
    const twice = large({ replicas: { min: 2, max: 2 } }, ['large']);
    const { replicas } = plan(fleetInput(['a: 2 L40S', 'b: 3 L40S', 'c: 3 L40S', 'd: 2 L40S'], [twice]));
    const hosts = replicas.flatMap((r) => [...new Set(r.stages!.map((s) => s.host))]);
    expect(replicas).toHaveLength(2);
    expect(new Set(hosts).size).toBe(hosts.length);
  });

  it('leave as far as less is asked for', () => {
    const hosts = ['a: 2 L40S', 'b: 2 L40S', 'c: 2 L40S', 'd: 2 L40S'];
    const first = fleetInput(hosts, [large({ replicas: { min: 2, max: 2 } })]);
    const fewer = plan({ ...there(first, plan(first)), deployments: [large()] });
    expect(fewer.replicas.map((r) => r.presentId)).toEqual(['p-0']);
  });

  it('are built anew where one of their hosts takes no work any more', () => {
    const first = fleetInput(['a: 2 L40S', 'b: 2 L40S', 'c: 2 L40S'], [large()]);
    const input = there(first, plan(first));
    const gone = input.pipelines![0]!.stages[0]!.host;
    const closed = input.hosts.map((h) => (h.name === gone ? { ...h, service: 'cordoned' as const } : h));
    const { replicas } = plan({ ...input, hosts: closed });
    expect(replicas.flatMap((r) => r.presentId ?? [])).toEqual([]);
    expect(replicas.flatMap((r) => (r.stages ?? [r]).map((s) => s.host))).not.toContain(gone);
  });

  it('stay where they are when the plan is made again of what it came to', () => {
    const host = fc.tuple(fc.constantFrom('L40S', 'A6000', 'A100-40G-SXM'), fc.constantFrom(1, 2, 3));
    const wish = fc.record({
      model: fc.constantFrom('llama-3.1-70b', 'llama-3.1-70b', 'qwen3-32b', 'llama-3.1-8b'),
      min: fc.nat(2),
      requestsPerSecond: fc.constantFrom(0, 0.1, 1, 4),
      antiAffinity: fc.constantFrom<string[][]>([], [], ['d0'], ['d1']),
    });
    const fleets = fc.tuple(fc.array(host, { minLength: 3, maxLength: 6 }), fc.array(wish, { minLength: 1, maxLength: 3 }));
    let spanning = 0;
    fc.assert(
      fc.property(fleets, ([hosts, wishes]) => {
        const input = fleetInput(
          hosts.map(([kind, count], i) => `h${i}: ${count} ${kind}`),
          wishes.map(({ model, min, requestsPerSecond, antiAffinity }, i) => {
            const demand = { requestsPerSecond, inputTokens: 500, outputTokens: 100 };
            return large({ name: `d${i}`, model, replicas: { min, max: 5 }, demand }, antiAffinity[0] ? antiAffinity : undefined);
          }),
        );
        const first = plan(input);
        spanning += first.replicas.filter(isSpanning).length;
        const again = plan(there(input, first));
        expect(again.replicas.filter((r) => r.presentId === undefined)).toEqual([]);
        expect(again.replicas).toHaveLength(first.replicas.length);
      }),
      { numRuns: 25, seed: 5, endOnFailure: true },
    );
    expect(spanning).toBeGreaterThan(5);
  }, 120_000);
});
