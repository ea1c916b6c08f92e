import { describe, expect, it } from 'vitest';
import { deployed, fleetOf, TestFleet } from '../../../test/support/placement.ts';

function running(min: number): TestFleet {
  const fleet = new TestFleet(fleetOf('a: 2 L40S', 'b: 2 L40S', 'c: 2 L40S', 'd: 2 L40S'), [
    deployed({ name: 'chat', model: 'llama-3.1-8b', replicas: { min, max: 4 } }),
  ]);
  fleet.run('deploy', 'chat');
  return fleet;
}

describe('replace', () => {
  it('makes good what a lost host held', () => {
    const fleet = running(2);
    fleet.host('a').liveness = 'lost';
    const { moves } = fleet.run('replace');
    expect(moves).toMatchObject([{ kind: 'place', host: 'c', replaces: 'p1-1' }]);
    expect(fleet.run('replace').moves).toEqual([]);
  });

  it('gives up what is not missed', () => {
    const fleet = running(2);
    fleet.deployments[0]!.spec.replicas.min = 1;
    fleet.host('a').liveness = 'lost';
    expect(fleet.run('replace').moves).toMatchObject([{ kind: 'retire', replicaId: 'p1-1', reason: 'host a is lost' }]);
  });

  it('makes good a replica that failed', () => {
    const fleet = running(2);
    fleet.replicas[1]!.state = 'failed';
    expect(fleet.run('replace').moves).toMatchObject([{ kind: 'place', host: 'b' }]);
  });

  it('stays within the budget and says so', () => {
    const fleet = running(4);
    fleet.budget.maxMoving = 1;
    for (const r of fleet.replicas.slice(0, 2)) r.state = 'failed';
    const { moves, report } = fleet.run('replace');
    expect(moves).toHaveLength(1);
    expect(report.waiting).toMatchObject([{ on: 'disruption-budget' }]);
  });

  it('leaves in its place what is missed and cannot be made good yet', () => {
    const fleet = running(2);
    fleet.host('a').liveness = 'lost';
    fleet.budget.maxMoving = 0;
    expect(fleet.run('replace')).toMatchObject({ moves: [], report: { waiting: [{ on: 'disruption-budget' }] } });
    fleet.budget.maxMoving = 2;
    for (const { name } of fleet.hosts) fleet.host(name).service = 'cordoned';
    expect(fleet.run('replace')).toMatchObject({ moves: [], report: { waiting: [{ subject: 'chat' }] } });
  });

  it('moves nothing while a host is only suspect, or too many are lost', () => {
    const fleet = running(2);
    fleet.host('a').liveness = 'suspect';
    expect(fleet.run('replace').moves).toEqual([]);
    fleet.host('a').liveness = 'lost';
    fleet.host('b').liveness = 'lost';
    expect(fleet.run('replace')).toMatchObject({ moves: [], report: { waiting: [{ on: 'hosts-lost' }] } });
  });
});
