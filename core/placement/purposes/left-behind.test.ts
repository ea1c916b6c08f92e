import { expect, it } from 'vitest';
import { deployed, fleetOf, TestFleet } from '../../../test/support/placement.ts';
import { plan } from '../planner.ts';

/** Revision 2 of chat is planned; one replica of revision 1 is there beside those. */
function leftBehind(min: number): TestFleet {
  const fleet = new TestFleet(fleetOf('a: 4 L40S'), [
    deployed({ name: 'chat', model: 'llama-3.1-8b', replicas: { min, max: 4 }, demand: { requestsPerSecond: 1 } }),
  ]);
  fleet.run('deploy', 'chat');
  fleet.replicas.push({ ...fleet.replicas[0]!, id: 'old-1', revision: fleet.replicas[0]!.revision - 1, accelerators: [3] });
  return fleet;
}

it('what a rollout could not stop leaves with the next rebalance', () => {
  const { moves } = leftBehind(1).run('rebalance');
  expect(moves).toMatchObject([{ kind: 'retire', replicaId: 'old-1', reason: expect.stringMatching(/^revision \d is the current one$/) }]);
});

it('stays while the current revision does not serve as it should', () => {
  const fleet = leftBehind(2);
  fleet.replicas[0]!.state = 'warming';
  expect(fleet.run('rebalance').moves.filter((m) => m.replicaId === 'old-1')).toEqual([]);
});

it('replicas of a deleted deployment leave with the next rebalance, and with the drain of their host', () => {
  const fleet = leftBehind(1);
  const [replica] = fleet.replicas;
  fleet.replicas.splice(
    0,
    2,
    { ...replica!, id: 'gone-1', deployment: 'gone' },
    { ...replica!, id: 'gone-2', deployment: 'gone', state: 'draining' },
  );
  const retired = (purpose: 'rebalance' | 'drain') =>
    plan({ ...fleet.input(purpose, purpose === 'drain' ? 'a' : undefined), undeclared: ['gone'] }).moves.filter((m) => m.kind === 'retire');
  for (const purpose of ['rebalance', 'drain'] as const) {
    expect(retired(purpose)).toMatchObject([{ replicaId: 'gone-1', reason: 'deployment gone was deleted' }]);
  }
});
