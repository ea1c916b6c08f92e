import { describe, expect, it } from 'vitest';
import { deployed, fleetOf, TestFleet } from '../../test/support/placement.ts';
import type { HostState } from '../domain/fleet.ts';
import { checkMoves } from './check.ts';
import { plan } from './planner.ts';

function oneWaitingPlan() {
  const fleet = new TestFleet(fleetOf('a: 2 L40S'), [deployed({ name: 'chat', model: 'llama-3.1-8b', replicas: { min: 2, max: 2 } })]);
  const { moves } = plan(fleet.input('deploy', 'chat'));
  expect(moves).toHaveLength(2);
  return { fleet, moves, present: () => ({ hosts: fleet.hosts, replicas: fleet.replicas }) };
}

describe('checkMoves', () => {
  it('keeps what still fits', () => {
    const { moves, present } = oneWaitingPlan();
    expect(checkMoves(moves, present())).toEqual({ kept: moves, trimmed: [] });
  });

  it('trims only what was taken meanwhile', () => {
    const { fleet, moves, present } = oneWaitingPlan();
    fleet.carryOut({ moves: moves.slice(0, 1) });
    const { kept, trimmed } = checkMoves(moves, present());
    expect(kept).toEqual(moves.slice(1));
    expect(trimmed.map((t) => t.refusal.message)).toEqual(['accelerator 0 of host a was taken meanwhile']);
  });

  it('lets no two moves of one plan have the same accelerator', () => {
    const { moves, present } = oneWaitingPlan();
    const { kept, trimmed } = checkMoves([moves[0]!, moves[0]!], present());
    expect(kept).toHaveLength(1);
    expect(trimmed).toHaveLength(1);
  });

  const gone = (f: TestFleet) => void f.hosts.splice(0);
  const changed = (change: Partial<HostState>) => (f: TestFleet) => void Object.assign(f.host('a'), change);

  it.each([
    ['is gone', gone, 'host a is gone', 'placement'],
    ['was cordoned', changed({ service: 'cordoned' }), 'host a takes no new work: it is cordoned', 'drain'],
    ['fell silent', changed({ liveness: 'suspect' }), 'host a takes no new work: it is suspect', 'hosts-lost'],
    ['has other cards now', changed({ accelerators: ['T4'] }), 'host a has no L40S at index 0', 'accelerators'],
  ] as const)('trims placements on a host that %s', (_, change, message, on) => {
    const { fleet, moves, present } = oneWaitingPlan();
    change(fleet);
    const { kept, trimmed } = checkMoves(moves, present());
    expect(kept).toEqual([]);
    expect(trimmed[0]?.refusal).toMatchObject({ kind: 'waiting', on, message });
  });

  it('trims the retirement of a replica that has ended by itself', () => {
    const { fleet, present } = oneWaitingPlan();
    fleet.run('deploy', 'chat');
    const retire = { kind: 'retire' as const, replicaId: fleet.replicas[0]!.id, deployment: 'chat', host: 'a', reason: 'test' };
    expect(checkMoves([retire], present()).kept).toEqual([retire]);
    fleet.replicas[0]!.state = 'failed';
    expect(checkMoves([retire], present()).trimmed).toHaveLength(1);
  });
});
