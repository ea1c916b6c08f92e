import { describe, expect, it } from 'vitest';
import { demoObjects, planText, TestFleet } from '../../test/support/placement.ts';
import { expandAccelerators, type HostState } from '../domain/fleet.ts';
import type { SloTargets } from '../domain/slo-policy.ts';
import type { DeploymentDemand } from './types.ts';

/** The fleet of the demo as it starts, with the tightest targets of each model's policies. */
function demoFleet(): TestFleet {
  const objects = demoObjects();
  const hosts = objects.flatMap((o): HostState[] => {
    if (o.kind !== 'Host') return [];
    const { name, links, simulated } = o.spec;
    const accelerators = expandAccelerators(o.spec.accelerators);
    return [{ name, accelerators, links, simulated, external: false, liveness: 'alive', service: 'schedulable' }];
  });
  const targetsOf = (model: string): SloTargets => {
    const targets = objects.flatMap((o) => (o.kind === 'SloPolicy' && o.spec.match.model === model ? [o.spec.targets] : []));
    const least = (pick: (t: SloTargets) => number | undefined) => Math.min(...targets.map((t) => pick(t) ?? Number.POSITIVE_INFINITY));
    return { ttftMs: least((t) => t.ttftMs), tpotMs: least((t) => t.tpotMs), attainment: Math.max(...targets.map((t) => t.attainment)) };
  };
  const deployments = objects.flatMap((o): DeploymentDemand[] =>
    o.kind === 'Deployment' ? [{ spec: o.spec, revision: 1, demand: o.spec.demand!, targets: targetsOf(o.spec.model) }] : [],
  );
  return new TestFleet(hosts, deployments);
}

function deployedDemo(order: readonly string[]): TestFleet {
  const fleet = demoFleet();
  for (const name of order) expect(fleet.run('deploy', name).report.waiting).toEqual([]);
  return fleet;
}

const ORDERS = [
  ['llama-3.1-8b', 'llama-3.1-70b'],
  ['llama-3.1-70b', 'llama-3.1-8b'],
];

/** All serve: as many as wanted, every one within its SLO's reach. */
function expectServed(fleet: TestFleet): void {
  for (const { spec } of fleet.deployments) {
    expect(fleet.replicas.filter((r) => r.deployment === spec.name).length).toBeGreaterThanOrEqual(spec.replicas.min);
  }
}

describe('the demo fleet', () => {
  it('is planned like this', () => {
    const fleet = demoFleet();
    const plans = ['llama-3.1-70b', 'llama-3.1-8b'].map((name) => fleet.run('deploy', name));
    plans.push(fleet.run('drain', 'h100-1'));
    expect(plans.map(planText).join('\n\n')).toMatchInlineSnapshot(`
      "deploy llama-3.1-70b: llama-3.1-70b on h100-1 (2 H100-SXM)
      + p1-1 llama-3.1-70b r1 on h100-1 [0 1]: 2 H100-SXM for 5.90 USD/h serves 1.9 req/s within TTFT 8000 ms, TPOT 100 ms for 90 %; step times derived
      because llama-3.1-70b: 1.0 req/s wanted; 1 replica of revision 1 can serve 1.9 req/s
      cost 0.00 USD/h -> 5.90 USD/h

      deploy llama-3.1-8b: llama-3.1-8b on a100-1 (1 A100-80G-SXM), llama-3.1-8b on l40s-1 (1 L40S)
      + p2-1 llama-3.1-8b r1 on a100-1 [0]: 1 A100-80G-SXM for 1.89 USD/h serves 6.6 req/s within TTFT 500 ms, TPOT 50 ms for 90 %; step times measured
      + p2-2 llama-3.1-8b r1 on l40s-1 [0]: 1 L40S for 1.55 USD/h serves 3.2 req/s within TTFT 500 ms, TPOT 50 ms for 90 %; step times measured
      because llama-3.1-8b: 5.0 req/s wanted; 2 replicas of revision 1 can serve 9.8 req/s
      cost 5.90 USD/h -> 9.34 USD/h

      drain h100-1: llama-3.1-70b from h100-1 to h100-2 (2 H100-SXM)
      + p3-1 llama-3.1-70b r1 on h100-2 [0 1] for p1-1: 2 H100-SXM for 5.90 USD/h serves 1.9 req/s within TTFT 8000 ms, TPOT 100 ms for 90 %; step times derived
      because llama-3.1-70b: 1 replica to leave, 1 placed elsewhere; 1 replica can then serve 1.9 req/s
      cost 9.34 USD/h -> 9.34 USD/h"
    `);
  });

  it.each(ORDERS)('survives the draining of any one host (%s first)', (...order) => {
    for (const { name } of demoFleet().hosts) {
      const fleet = deployedDemo(order);
      expect(fleet.run('drain', name).report.waiting).toEqual([]);
      expect(fleet.replicas.filter((r) => r.host === name)).toEqual([]);
      expectServed(fleet);
    }
  });

  it.each(ORDERS)('survives the draining of one host after the other, twice round (%s first)', (...order) => {
    const fleet = deployedDemo(order);
    for (const { name } of [...fleet.hosts, ...fleet.hosts]) {
      expect(fleet.run('drain', name).report.waiting).toEqual([]);
      expectServed(fleet);
      fleet.host(name).service = 'schedulable';
    }
  });

  it.each(ORDERS)('survives it at its largest too (%s first)', (...order) => {
    const fleet = deployedDemo(order);
    for (const d of fleet.deployments) d.demand = { ...d.demand, requestsPerSecond: d.spec.name.endsWith('70b') ? 2.5 : 25 };
    fleet.run('rebalance');
    expect(fleet.replicas.length).toBeGreaterThan(3);
    for (const { name } of fleet.hosts) {
      expect(fleet.run('drain', name).report.waiting).toEqual([]);
      expectServed(fleet);
      fleet.host(name).service = 'schedulable';
    }
  });

  it.each(['h100-1', 'a100-1', 'l40s-1'])('could run the 70B on %s alone', (host) => {
    const fleet = demoFleet();
    for (const other of fleet.hosts) if (other.name !== host) other.service = 'cordoned';
    const { moves, report } = fleet.run('deploy', 'llama-3.1-70b');
    expect(report.waiting).toEqual([]);
    expect(moves[0]).toMatchObject({ kind: 'place', host });
  });

  it('rolls a new revision out beside the old', () => {
    const fleet = deployedDemo(ORDERS[0]!);
    for (const d of fleet.deployments) {
      d.revision = 2;
      const { report, moves } = fleet.run('deploy', d.spec.name);
      expect(report.waiting).toEqual([]);
      expect(moves.every((m) => m.kind === 'place' && m.replaces !== undefined)).toBe(true);
    }
    expect(fleet.replicas.every((r) => r.revision === 2)).toBe(true);
  });
});
