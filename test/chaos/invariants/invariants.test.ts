/** Each check finds what is planted, and nothing in what is right. */
import { describe, expect, it } from 'vitest';
import { doubleBookings, sharedAccelerators } from './accelerators.ts';
import { disagreements, type LivingReplica, orphans, unserved } from './engines.ts';
import { type WorkflowRun, wrongWorkflows } from './workflows.ts';

const replica: LivingReplica = {
  id: 'a-1',
  deployment: 'a',
  revision: 2,
  host: 'h1',
  generation: 3,
  state: 'ready',
  endpoint: 'http://127.0.0.1:1',
};
const engine = { host: 'h1', replicaId: 'a-1', generation: 3, pid: 10 };
const gateway = { name: 'gateway-1', replicas: [{ id: 'a-1', healthy: true }] };

describe('accelerators', () => {
  const booking = { replicaId: 'a-1', host: 'h1', accelerators: [0, 1] };
  const claims = [0, 1].map((accelerator) => ({ host: 'h1', accelerator, replicaId: 'a-1' }));

  it('finds two on one accelerator', () => {
    expect(sharedAccelerators([booking, { ...booking, replicaId: 'a-2', accelerators: [1] }])).toEqual([
      'h1/1 is used by a-1 and a-2 at once',
    ]);
    expect(sharedAccelerators([booking, booking, { ...booking, replicaId: 'a-2', host: 'h2' }])).toEqual([]);
  });

  it('finds a replica without its claims, and a claim without its replica', () => {
    expect(doubleBookings([booking], claims)).toEqual([]);
    expect(doubleBookings([booking], claims.slice(1))).toEqual(['a-1 lives on h1/0 without holding it']);
    expect(doubleBookings([], claims.slice(1))).toEqual(['h1/1 is held by a-1, which lives no more']);
  });
});

describe('engines', () => {
  it('finds an engine that nobody owns, an older generation among them', () => {
    expect(orphans([engine], [replica])).toEqual([]);
    for (const stray of [
      { ...engine, replicaId: 'a-2' },
      { ...engine, generation: 2 },
      { ...engine, host: 'h2' },
    ])
      expect(orphans([engine, stray], [replica])).toHaveLength(1);
  });

  it('finds whatever is not as the database says', () => {
    const answering = new Set(['a-1']);
    expect(disagreements([replica], [engine], answering, [gateway])).toEqual([]);
    expect(disagreements([{ ...replica, state: 'starting' }], [engine], answering, [gateway])).toEqual(['replica a-1 is starting']);
    expect(disagreements([replica], [], answering, [gateway])).toEqual(['replica a-1 has 0 engines of generation 3 on h1']);
    expect(disagreements([replica], [engine], new Set(), [gateway])).toEqual(['the engine of replica a-1 does not answer']);
    expect(disagreements([replica], [engine], answering, [{ name: 'g', replicas: [{ id: 'a-1', healthy: false }] }])).toEqual([
      'g does not route to a-1',
    ]);
    expect(disagreements([], [], new Set(), [gateway])).toEqual(['gateway-1 routes to a-1, which lives no more']);
  });

  it('finds a deployment that serves too little, or by an old revision as well', () => {
    const deployment = { name: 'a', currentRevision: 2, minReplicas: 1 };
    expect(unserved([deployment], [replica])).toEqual([]);
    expect(unserved([deployment], [])).toHaveLength(1);
    expect(unserved([deployment], [replica, { ...replica, id: 'a-0', revision: 1 }])).toEqual([
      'replica a-0 of revision 1 was left behind: 2 is current',
    ]);
  });
});

describe('workflows', () => {
  const run = (parts: Partial<WorkflowRun>): WorkflowRun => ({
    workflowId: 'place-a-1',
    type: 'placeReplica',
    status: 'COMPLETED',
    taskAttempts: 1,
    ...parts,
  });

  it('takes ended ones and the life of a host for right, and a failed placement that left nothing', () => {
    const right = [run({}), run({ type: 'hostPresence', status: 'RUNNING' }), run({ status: 'FAILED' }), run({ status: 'CANCELLED' })];
    expect(wrongWorkflows(right, ['b-1'])).toEqual([]);
  });

  it('finds what is stuck, died, or left something behind', () => {
    expect(wrongWorkflows([run({ status: 'RUNNING', type: 'deployModel' })], [])).toHaveLength(1);
    expect(wrongWorkflows([run({ status: 'RUNNING', type: 'hostPresence', taskAttempts: 9 })], [])).toHaveLength(1);
    expect(wrongWorkflows([run({ status: 'FAILED' })], ['a-1'])).toEqual(['placeReplica place-a-1 failed, and its replica lives on']);
    expect(wrongWorkflows([run({ status: 'FAILED', type: 'restoreReplica', workflowId: 'restore-a-1-g4' })], ['a-1'])).toHaveLength(1);
    for (const status of ['TIMED_OUT', 'TERMINATED']) expect(wrongWorkflows([run({ status })], [])).toHaveLength(1);
    expect(wrongWorkflows([run({ status: 'FAILED', type: 'drainNode' })], [])).toHaveLength(1);
  });
});
