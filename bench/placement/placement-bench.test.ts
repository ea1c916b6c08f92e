import { describe, expect, it } from 'vitest';
import { type FleetPlan, planFleet } from '../../core/placement/fleet/fleet-plan.ts';
import { loadHighsSolver } from '../../core/placement/fleet/highs.ts';
import { faultsOf } from './audit.ts';
import { parseFlags } from './flags.ts';
import { drawInstance, type Instance, largeInstance } from './instances.ts';
import { leastUnmet } from './least-unmet.ts';
import { type InstanceResult, measureInstance } from './measure.ts';
import { PEERS } from './peers/peers.ts';
import { renderBars, renderInstances, renderLinks, renderPeers, renderQuiet, renderTimes } from './report.ts';
import { isRight, type SlowLinkResult } from './slow-links.ts';
import { hostsUsed } from './spread.ts';
import { instanceBars, linkBars, summarise, timeBars } from './summary.ts';
import type { FleetTime } from './timing.ts';

const solver = await loadHighsSolver();
/** The first small fleets, one with room and one short. */
const ROOMY = firstWhere((refusals) => refusals === 0);
const SHORT = firstWhere((refusals) => refusals > 0);

function firstWhere(wanted: (refusals: number) => boolean): Instance {
  for (let seed = 1; ; seed++) {
    const instance = drawInstance(seed);
    if (instance.accelerators > 20) continue;
    const plan = planFleet(instance.input, solver);
    if (wanted(plan.refusals.length) && hostsUsed(instance.input, plan).deployments > 0) return instance;
  }
}

describe('instances', () => {
  it('are fleets and demands of the sizes that are told, the same again from their seed', () => {
    const drawn = Array.from({ length: 12 }, (_, i) => drawInstance(i + 1));
    for (const { accelerators, input, seed, load } of drawn) {
      expect(accelerators).toBeGreaterThanOrEqual(10);
      expect(accelerators).toBeLessThanOrEqual(200 + 7);
      const kinds = new Set(input.hosts.flatMap((h) => h.accelerators)).size;
      expect(kinds).toBeGreaterThanOrEqual(2);
      expect(kinds).toBeLessThanOrEqual(5);
      expect(input.deployments.length).toBeGreaterThanOrEqual(2);
      expect(input.deployments.length).toBeLessThanOrEqual(20);
      expect(input.deployments.every((d) => d.demand.requestsPerSecond > 0)).toBe(true);
      expect(load > 1).toBe(seed % 4 === 0);
    }
    expect(drawInstance(3)).toEqual(drawInstance(3));
    const large = largeInstance(1, { hosts: 10, models: 3, load: 0.5 });
    expect(large.hosts.map((h) => h.accelerators.length)).toEqual(Array(10).fill(8));
    expect(large.deployments).toHaveLength(3);
  });
});

describe('the second look at a plan', () => {
  const { input } = ROOMY;
  const plan = planFleet(input, solver);
  const [first, ...rest] = plan.replicas;
  const broken = (changes: Partial<FleetPlan>) => faultsOf(input, { ...plan, ...changes }).join('; ');

  it('finds nothing wrong with a sound one', () => {
    expect(faultsOf(input, plan)).toEqual([]);
    expect(faultsOf(SHORT.input, planFleet(SHORT.input, solver, { pipelines: true }))).toEqual([]);
  });

  it('finds what is wrong with any other', () => {
    const elsewhere = input.hosts.find((h) => h.accelerators[0] !== first!.shape.acceleratorKind)!.name;
    expect(broken({ replicas: [...plan.replicas, plan.replicas[0]!] })).toContain('is used twice');
    expect(broken({ replicas: [{ ...first!, host: elsewhere }, ...rest] })).toContain('wrong kind');
    expect(broken({ replicas: rest })).toContain('unmet demand');
    expect(broken({ replicas: rest })).toContain('though short');
    expect(broken({ usdPerHour: plan.usdPerHour * 0.9 })).toContain('cost: told');
    expect(broken({ lowerBoundUsdPerHour: plan.usdPerHour * 1.1 })).toContain('above cost');
    expect(broken({ refusals: [{ kind: 'refused', on: 'memory', subject: first!.deployment, message: '' }] })).toContain('and not short');
    const boasting = { ...first!.shape, capacity: { ...first!.shape.capacity, requestsPerSecond: 1e6 } };
    expect(broken({ replicas: [{ ...first!, shape: boasting }, ...rest] })).toContain('does not serve that');
    const layered = { ...first!, stages: [{ ...first!, acceleratorKind: first!.shape.acceleratorKind, tensorParallel: 1, layers: 1 }] };
    expect(broken({ replicas: [layered, ...rest] })).toContain('not all layers');
  });

  it('counts hosts of deployments with several replicas', () => {
    const { hosts, most, deployments } = hostsUsed(input, plan);
    expect(deployments).toBeGreaterThan(0);
    expect(hosts).toBeGreaterThanOrEqual(deployments);
    expect(hosts).toBeLessThanOrEqual(most);
  });
});

describe('the comparison', () => {
  const results: InstanceResult[] = [ROOMY, SHORT].map((instance) => measureInstance(instance, solver));
  const summary = summarise(results);

  it('has every peer on fleets with room, none of those that choose among the same below the bound', () => {
    const [roomy] = results;
    expect(Object.keys(roomy!.peersUsdPerHour)).toEqual(PEERS.map((p) => p.name));
    for (const { name, bounded } of PEERS) {
      const usd = roomy!.peersUsdPerHour[name];
      if (bounded && usd !== null) expect(usd).toBeGreaterThanOrEqual(roomy!.lowerBoundUsdPerHour - 1e-6);
    }
    expect(roomy!.peersUsdPerHour['first fit']).not.toBeNull();
    expect(roomy!.faults).toEqual([]);
  });

  it('judges short fleets by the least that must be unmet', () => {
    const short = results[1]!;
    expect(short.refusals).toBeGreaterThan(0);
    expect(short.leastUnmetProven).toBe(true);
    expect(short.unmetPerSecond).toBeCloseTo(short.leastUnmetPerSecond, 4);
    expect(leastUnmet(ROOMY.input, solver)).toEqual({ perSecond: 0, proven: true });
  });

  it('is told as tables and bars', () => {
    const text = [renderInstances(summary), renderPeers(summary), renderBars(instanceBars(summary))].join('\n');
    expect(text).toContain('REACHED      cost within 0.5 % of the bound, median: 0 % of 1 fleets');
    expect(text).toContain('HELR, stages of one');
    expect(text).not.toMatch(/NaN|undefined/);
  });
});

describe('bars', () => {
  it('of time are reached or not', () => {
    const spread = (median: number) => ({ median, min: median, max: median });
    const time = (hosts: number, ms: number, gap: number): FleetTime => ({
      ...{ hosts, models: 50, load: 0.5, seed: 1, wallMs: spread(ms), cpuMs: spread(ms), loadBefore: 0.2 },
      plan: {
        ...{ wallMs: ms, cpuMs: ms, gap, unmetPerSecond: 0, replicas: 3, movedAgain: 0, faults: [], loadBefore: 0.2 },
        spread: { hosts: 3, most: 3, deployments: 1, onOneHost: 0 },
      },
    });
    const reached = (times: FleetTime[]) => timeBars(times).map((b) => b.reached);
    expect(reached([time(100, 300, 0.004), time(1000, 2900, 0.009)])).toEqual([true, true, true, true]);
    expect(reached([time(100, 100, 0.004), time(1000, 3100, 0.011)])).toEqual([false, false, false, true]);
    expect(renderTimes([time(100, 300, 0.004)])).toContain('0.4 %');
    expect(renderQuiet([time(100, 300, 0.004)])).toBe('the machine was quiet but for this');
  });

  it('of slow links take no width of 4 where narrower ones do for as much', () => {
    const result: SlowLinkResult = {
      ...{ model: 'm', targets: { tpotMs: 50, attainment: 0.9 }, requestsPerSecond: 1, replicas: { TP2: 1 } },
      ...{ widestTensorParallel: 2, usdPerHour: 3.1, leastUsdPerHour: 3.1, leastNarrowUsdPerHour: 3.1 },
    };
    expect(isRight(result)).toBe(true);
    expect(isRight({ ...result, widestTensorParallel: 4 })).toBe(false);
    expect(isRight({ ...result, widestTensorParallel: 4, leastNarrowUsdPerHour: null })).toBe(true);
    expect(isRight({ ...result, leastUsdPerHour: 1.55 })).toBe(false);
    expect(linkBars([result, { ...result, widestTensorParallel: 4 }])[0]).toMatchObject({ reached: false });
    expect(renderLinks([result])).toContain('1 x TP2');
  });
});

describe('the command line', () => {
  it('is read', () => {
    expect(parseFlags([])).toMatchObject({ quick: false, rounds: 5, largeFleets: [100, 300, 1000], out: 'bench/results' });
    expect(parseFlags([]).seeds).toHaveLength(200);
    expect(parseFlags(['--quick', '--seed', '7', '--instances', '2', '--only', 'links'])).toMatchObject({ seeds: [7, 8], only: 'links' });
    expect([...parseFlags(['--only', 'time']).parts]).toEqual(['time']);
    for (const wrong of [
      ['--only', 'all'],
      ['--rounds', '0'],
      ['--instances', 'x'],
      ['--capacity-share', '2'],
    ]) {
      expect(() => parseFlags(wrong)).toThrow(new RegExp(wrong[0]!));
    }
  });
});
