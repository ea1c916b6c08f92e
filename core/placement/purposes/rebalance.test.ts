import { describe, expect, it } from 'vitest';
import { deployed, fleetOf, planText, TestFleet } from '../../../test/support/placement.ts';

const eight = ['a: 4 L40S', 'b: 4 L40S'];

/** One L40S serves 5.4 req/s of this where no targets are named. */
function running(hosts: string[], requestsPerSecond: number, replicas = { min: 1, max: 6 }): TestFleet {
  const fleet = new TestFleet(fleetOf(...hosts), [
    deployed({ name: 'chat', model: 'llama-3.1-8b', replicas, demand: { requestsPerSecond } }),
  ]);
  fleet.run('deploy', 'chat');
  return fleet;
}

function ask(fleet: TestFleet, requestsPerSecond: number) {
  fleet.deployments[0]!.demand.requestsPerSecond = requestsPerSecond;
  return fleet.run('rebalance');
}

describe('rebalance follows the demand', () => {
  it('adds replicas where it outgrows them, and takes them away again', () => {
    const fleet = running(eight, 4);
    expect(fleet.replicas).toHaveLength(1);
    expect(planText(ask(fleet, 16))).toMatchInlineSnapshot(`
      "rebalance cluster: chat on b (1 L40S), chat on a (1 L40S), chat on b (1 L40S)
      + p2-1 chat r1 on b [0]: 1 L40S for 1.55 USD/h serves 5.4 req/s within short queues (no SLO names targets); step times measured
      + p2-2 chat r1 on a [1]: 1 L40S for 1.55 USD/h serves 5.4 req/s within short queues (no SLO names targets); step times measured
      + p2-3 chat r1 on b [1]: 1 L40S for 1.55 USD/h serves 5.4 req/s within short queues (no SLO names targets); step times measured
      because chat: 16.0 req/s forecast, 1 replica can serve 5.4 req/s; 4 replicas can then serve 21.6 req/s
      cost 1.55 USD/h -> 6.20 USD/h"
    `);
    expect(fleet.replicas).toHaveLength(4);
    expect(planText(ask(fleet, 4))).toMatchInlineSnapshot(`
      "rebalance cluster: chat off a, chat off b, chat off a
      - p1-1 chat from a: 3 replicas can serve 16.2 req/s, 4.0 req/s are forecast
      - p2-1 chat from b: 2 replicas can serve 10.8 req/s, 4.0 req/s are forecast
      - p2-2 chat from a: 1 replica can serve 5.4 req/s, 4.0 req/s are forecast
      cost 6.20 USD/h -> 1.55 USD/h"
    `);
    expect(fleet.replicas).toHaveLength(1);
  });

  it.each([4, 5.4, 6, 10, 17, 25])('moves nothing for a demand that flaps by 10 %% around %f req/s', (demand) => {
    const fleet = running(eight, demand);
    for (const factor of [1.1, 0.9, 1.1, 1, 0.9]) expect(ask(fleet, demand * factor).moves).toEqual([]);
  });

  it('stays within the limits of the deployment, and says so', () => {
    const fleet = running(eight, 5, { min: 1, max: 2 });
    const { report } = ask(fleet, 50);
    expect(fleet.replicas).toHaveLength(2);
    expect(report.waiting).toEqual([]);
    expect(ask(fleet, 50).report.reasons).toEqual([
      expect.stringMatching(/^chat: 50\.0 req\/s forecast, 2 replicas can serve 10\.\d req\/s; none can be added, replicas.max is 2$/),
    ]);
    expect(ask(fleet, 0).moves).toHaveLength(1);
    expect(ask(fleet, 0).moves).toEqual([]);
  });

  it.each([
    [5, 'chat: replicas.min is 3, 1 is there; 3 replicas can then serve 16.2 req/s'],
    [6, 'chat: replicas.min is 3, 1 is there; 6.0 req/s forecast, 1 replica can serve 5.4 req/s; 3 replicas can then serve 16.2 req/s'],
    [16, 'chat: replicas.min is 3, 1 is there; 16.0 req/s forecast, 1 replica can serve 5.4 req/s; 4 replicas can then serve 21.6 req/s'],
  ])('names the minimum where that asks for more, at %d req/s', (demand, reason) => {
    const fleet = running(eight, 4);
    fleet.deployments[0]!.spec.replicas = { min: 3, max: 6 };
    expect(ask(fleet, demand).report.reasons).toEqual([reason]);
  });

  it('names the maximum where more are there', () => {
    const fleet = running(eight, 10);
    fleet.deployments[0]!.spec.replicas = { min: 1, max: 1 };
    expect(ask(fleet, 10).moves.at(-1)!.reason).toBe('replicas.max is 1: 1 replica can serve 5.4 req/s, 10.0 req/s are forecast');
  });

  it('moves no more at once than the budget', () => {
    const fleet = running(eight, 5);
    fleet.budget.maxMoving = 2;
    const { moves, report } = ask(fleet, 30);
    expect(moves).toHaveLength(2);
    expect(report.waiting).toMatchObject([{ on: 'disruption-budget', nearest: 'goes on with the next plan' }]);
    expect(ask(fleet, 30).moves).toHaveLength(2);
  });

  it('says what is short when the fleet is full', () => {
    const fleet = running(['a: 2 L40S'], 5);
    expect(ask(fleet, 30).report.waiting).toMatchObject([{ on: 'accelerators', nearest: 'fits with 1 more L40S on host a' }]);
  });
});

describe('rebalance keeps what it should', () => {
  it('leaves hosts that miss the SLO for hosts that attain it', () => {
    const fleet = running(['a: 1 L40S', 'b: 1 H100-SXM'], 1);
    expect(fleet.replicas).toMatchObject([{ host: 'a' }]);
    fleet.deployments[0]!.targets = { tpotMs: 15, attainment: 0.9 };
    expect(fleet.run('rebalance').moves).toMatchObject([{ kind: 'place', host: 'b', replaces: 'p1-1' }]);
    expect(fleet.run('rebalance').moves).toEqual([]);
  });

  it('stays where it is when nowhere is better, and says what is attainable', () => {
    const fleet = running(['a: 2 L40S'], 1);
    fleet.deployments[0]!.targets = { tpotMs: 15, attainment: 0.9 };
    const { moves, report } = fleet.run('rebalance');
    expect(moves).toEqual([]);
    expect(report.waiting).toMatchObject([{ kind: 'refused', on: 'slo', nearest: 'fits at TPOT 24 ms' }]);
  });

  it('takes none away while others do not serve yet', () => {
    const fleet = running(eight, 12, { min: 1, max: 4 });
    for (const r of fleet.replicas.slice(1)) r.state = 'starting';
    const left = ask(fleet, 1) && fleet.replicas;
    expect(left).toMatchObject([{ state: 'ready' }]);
  });

  it('spreads over hosts before it saves money', () => {
    const fleet = running(['a: 2 L40S', 'b: 2 H100-SXM'], 1, { min: 2, max: 2 });
    expect(fleet.replicas.map((r) => r.host).sort()).toEqual(['a', 'b']);
    const together = running(['a: 2 L40S', 'b: 2 H100-SXM'], 1, { min: 2, max: 2 });
    together.deployments[0]!.spec.placement.spread = 'none';
    together.replicas = [];
    together.run('deploy', 'chat');
    expect(together.replicas.map((r) => r.host)).toEqual(['a', 'a']);
  });

  it('does nothing when many hosts fall silent together', () => {
    const fleet = running([...eight, 'c: 1 L40S', 'd: 1 L40S'], 5);
    for (const name of ['a', 'c', 'd']) fleet.host(name).liveness = 'suspect';
    expect(ask(fleet, 30)).toMatchObject({ moves: [], report: { waiting: [{ on: 'hosts-lost', subject: 'cluster' }] } });
  });
});
