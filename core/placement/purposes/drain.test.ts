import { describe, expect, it } from 'vitest';
import { deployed, fleetOf, TestFleet } from '../../../test/support/placement.ts';

const chat = (replicas: { min: number; max: number }, requestsPerSecond = 1) =>
  deployed({ name: 'chat', model: 'llama-3.1-8b', replicas, demand: { requestsPerSecond } });

function running(hosts: string[], ...deployments: ReturnType<typeof deployed>[]): TestFleet {
  const fleet = new TestFleet(fleetOf(...hosts), deployments);
  for (const d of deployments) expect(fleet.run('deploy', d.spec.name).report.waiting).toEqual([]);
  return fleet;
}

describe('drain', () => {
  it('replaces what is still needed, elsewhere', () => {
    const fleet = running(['a: 1 L40S', 'b: 1 L40S', 'c: 1 L40S'], chat({ min: 2, max: 2 }));
    const { moves, report } = fleet.run('drain', 'a');
    expect(moves).toMatchObject([{ kind: 'place', host: 'c', replaces: 'p1-1' }]);
    expect(report).toMatchObject({ summary: 'drain a: chat from a to c (1 L40S)', waiting: [] });
  });

  it('replaces nothing where those that stay suffice', () => {
    const fleet = running(['a: 1 L40S', 'b: 1 L40S', 'c: 1 L40S'], chat({ min: 2, max: 3 }));
    fleet.deployments[0]!.spec.replicas.min = 1;
    expect(fleet.run('drain', 'a').moves).toMatchObject([{ kind: 'retire', replicaId: 'p1-1' }]);
  });

  it('waits where nothing is free, with the figure', () => {
    const fleet = running(['a: 1 L40S', 'b: 1 L40S'], chat({ min: 2, max: 2 }));
    const { moves, report } = fleet.run('drain', 'a');
    expect(moves).toEqual([]);
    expect(report.waiting).toMatchObject([
      {
        on: 'accelerators',
        message: 'p1-1 cannot leave host a: needs 1 L40S free on one host that takes new work; none has them',
        nearest: 'fits with 1 more L40S on host b',
      },
    ]);
  });

  it('goes below the need as far as the budget allows, but never below the minimum', () => {
    const needsThree = chat({ min: 2, max: 3 }, 14);
    const fleet = running(['a: 1 L40S', 'b: 1 L40S', 'c: 1 L40S'], needsThree);
    expect(fleet.replicas).toHaveLength(3);
    fleet.budget.maxUnavailable = 1;
    expect(fleet.run('drain', 'a').moves).toMatchObject([{ kind: 'retire' }]);
    expect(fleet.run('drain', 'b').moves).toEqual([]);
  });

  it('lets nothing leave before what is to suffice really serves', () => {
    const fleet = running(['a: 1 L40S', 'b: 1 L40S'], chat({ min: 2, max: 2 }));
    fleet.deployments[0]!.spec.replicas.min = 1;
    fleet.replicas[1]!.state = 'warming';
    const { moves, report } = fleet.run('drain', 'a');
    expect(moves).toEqual([]);
    expect(report.waiting).toMatchObject([{ on: 'disruption-budget', nearest: 'goes on once they serve' }]);
  });

  it('leaves alone what a rollout is bringing in, be it an earlier revision', () => {
    const fleet = running(['a: 2 L40S', 'b: 2 L40S'], chat({ min: 1, max: 1 }));
    fleet.deployments[0]!.inRollout = true;
    for (const revision of [2, 0]) {
      fleet.replicas[0]!.revision = revision;
      const { moves, report } = fleet.run('drain', 'a');
      expect(moves).toEqual([]);
      expect(report.waiting).toMatchObject([{ on: 'rollout', subject: 'chat' }]);
    }
    fleet.deployments = [];
    expect(fleet.run('drain', 'a').report.waiting).toMatchObject([{ on: 'rollout', subject: 'chat' }]);
  });

  it('ends what was on its way out already', () => {
    const fleet = running(['a: 1 L40S', 'b: 1 L40S'], chat({ min: 1, max: 1 }));
    fleet.replicas[0]!.state = 'draining';
    expect(fleet.run('drain', 'a').moves).toMatchObject([{ kind: 'retire', replicaId: 'p1-1' }]);
  });

  it.each([0, 2])('ends what a rollout left behind, of revision %i', (revision) => {
    const fleet = running(['a: 1 L40S', 'b: 1 L40S'], chat({ min: 1, max: 1 }));
    fleet.replicas[0]!.revision = revision;
    expect(fleet.run('drain', 'a').moves).toMatchObject([{ kind: 'retire', replicaId: 'p1-1' }]);
  });

  it('rather keeps users waiting a little than not serving them', () => {
    const d = deployed({
      name: 'chat',
      model: 'llama-3.1-8b',
      replicas: { min: 1, max: 1 },
      targets: { tpotMs: 15, attainment: 0.9 },
    });
    const fleet = running(['a: 1 H100-SXM', 'b: 1 L40S'], d);
    const { moves, report } = fleet.run('drain', 'a');
    expect(moves).toMatchObject([{ host: 'b', capacityRequestsPerSecond: 0, reason: expect.stringContaining('misses TPOT 15 ms') }]);
    expect(report.waiting).toEqual([]);
  });
});
