import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UellmError } from '../../../core/domain/errors.ts';
import { endRollout, loadRollout, takeTurn } from '../../../db/queries/rollouts.ts';
import { revisions } from '../../../db/schema/index.ts';
import { createTestApi, RUNNING, type TestApi } from '../../../test/support/api.ts';
import { aReplica } from '../../../test/support/rows.ts';
import { deploymentResourceSchema } from '../../schema/deployments.ts';
import { rolloutStartedSchema } from '../../schema/rollouts.ts';

const PATH = '/api/v1/deployments';
let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct' });
  await api.call('POST', '/api/v1/hosts', { name: 'h1', accelerators: [{ kind: 'L40S', count: 2 }] });
});
afterAll(() => api.close());

const deployment = (name: string, fields: Record<string, unknown> = {}) => ({
  name,
  model: 'llama-3.1-8b',
  engine: { kind: 'simulated' },
  ...fields,
});
const create = (name: string, fields?: Record<string, unknown>) => api.call('POST', PATH, deployment(name, fields));
const rollOut = (name: string, body?: unknown) => api.call<{ id: string; revision: number }>('POST', `${PATH}/${name}/rollouts`, body);
const succeed = (id: string) => endRollout(api.db, id, { ...RUNNING, phase: 'succeeded', stage: 'record' });

describe('deployments', () => {
  it('are declared without being rolled out', async () => {
    const { status, body } = await create('plain');
    expect(status).toBe(201);
    expect(deploymentResourceSchema.parse(body)).toMatchObject({
      replicas: { min: 1, max: 8 },
      rollout: { strategy: 'canary', approval: 'auto' },
      status: { latestRevision: null, currentRevision: null, pendingChange: true, replicas: { ready: 0, living: 0 }, rollout: null },
    });
  });

  it('begin as auto, and stay in the mode that they have where none is named', async () => {
    expect((await create('watched')).body).toMatchObject({ mode: 'auto' });
    await api.call('PUT', `${PATH}/watched`, deployment('watched', { mode: 'shadow' }));
    const again = await api.call('PUT', `${PATH}/watched`, deployment('watched'));
    expect(again.body).toMatchObject({ mode: 'shadow', status: { version: 2 } });
    const other = await api.call('PUT', `${PATH}/watched`, deployment('watched', { replicas: { min: 2, max: 8 } }));
    expect(other.body).toMatchObject({ mode: 'shadow', replicas: { min: 2 }, status: { version: 3 } });
  });

  it('name what they refer to and is not there, all of it at once', async () => {
    const { status, body } = await create('lost', { model: 'nothing', placement: { hosts: ['h1', 'h9'] } });
    expect([status, body.issues]).toMatchObject([
      422,
      [
        { field: 'model', given: '"nothing"' },
        { field: 'placement.hosts[1]', given: '"h9"' },
      ],
    ]);
    await create('found');
    expect((await api.call('PUT', `${PATH}/found`, deployment('found', { model: 'nothing' }))).status).toBe(422);
  });

  it('are not deleted while they roll out; what served them is then retired', async () => {
    await create('kept');
    const { body } = await rollOut('kept');
    expect(await api.call('DELETE', `${PATH}/kept`)).toMatchObject({ status: 409, body: { detail: expect.stringContaining('kept-r1') } });
    await succeed(body.id);
    await aReplica(api.db, { id: 'kept-1', deployment: 'kept' });
    expect((await api.call('GET', `${PATH}/kept`)).body).toMatchObject({
      status: { currentRevision: 1, pendingChange: false, replicas: { ready: 1, living: 1 } },
    });
    for (const query of ['', '?drain=false'])
      expect(await api.call('DELETE', `${PATH}/kept${query}`)).toMatchObject({
        status: 409,
        body: {
          detail:
            "deployment 'kept': has living replicas kept-1: ?drain=true (uellm delete deployment kept --drain) drains and stops them first",
        },
      });
    expect(await api.call('DELETE', `${PATH}/kept?drain=yes`)).toMatchObject({ status: 422, body: { issues: [{ field: 'drain' }] } });
    expect(await api.call('DELETE', `/api/v1/hosts/h1?drain=true`)).toMatchObject({ status: 422, body: { issues: [{ field: 'drain' }] } });
    expect(api.actions.startRetirement).not.toHaveBeenCalled();
    api.actions.startRetirement.mockRejectedValueOnce(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'away' }));
    expect((await api.call('DELETE', `${PATH}/kept?drain=true`)).status).toBe(503);
    expect((await api.call('GET', `${PATH}/kept`)).status).toBe(200);
    expect((await api.call('DELETE', `${PATH}/kept?drain=true`)).status).toBe(204);
    expect(api.actions.startRetirement).toHaveBeenLastCalledWith('kept', 'admin');
    await create('kept');
    expect((await rollOut('kept')).body).toMatchObject({ id: 'kept-r2', revision: 2 });
  });
});

describe('rolling out', () => {
  beforeEach(() => void api.actions.startDeploy.mockClear());

  it('makes a revision of the spec as it is, and starts the workflow', async () => {
    await create('go');
    const { status, headers, body } = await rollOut('go');
    expect([status, headers.get('location')]).toEqual([202, '/api/v1/rollouts/go-r1']);
    expect(rolloutStartedSchema.parse(body)).toEqual({
      id: 'go-r1',
      workflowId: 'deploy-go-r1',
      deployment: 'go',
      revision: 1,
      status: { phase: 'running', stage: 'resolve', reason: 'accepted', stages: [], planId: null },
    });
    expect(api.actions.startDeploy.mock.calls).toEqual([['go-r1']]);
    expect(await loadRollout(api.db, 'go-r1')).toMatchObject({ fromRevision: null, spec: { name: 'go', replicas: { min: 1 } } });
  });

  it('is one at a time', async () => {
    await create('one');
    const answers = await Promise.all([rollOut('one'), rollOut('one'), rollOut('one')]);
    expect(answers.map((a) => a.status).sort()).toEqual([202, 409, 409]);
    expect(api.actions.startDeploy).toHaveBeenCalledTimes(1);
    expect(answers.find((a) => a.status === 409)?.body).toMatchObject({ detail: expect.stringContaining('one-r1') });
  });

  it('of something else supersedes the one that runs, and the one that waits', async () => {
    await create('newer');
    await rollOut('newer');
    expect((await rollOut('newer')).body).toMatchObject({ detail: expect.stringMatching(/newer-r1 is running and rolls out just this/) });
    const change = (max: number) => api.call('PUT', `${PATH}/newer`, deployment('newer', { replicas: { min: 1, max } }));
    await change(3);
    expect(await rollOut('newer')).toMatchObject({
      status: 202,
      body: { id: 'newer-r2', status: { reason: 'waits until rollout newer-r1 has ended' } },
    });
    expect((await rollOut('newer')).body).toMatchObject({ detail: expect.stringMatching(/newer-r2 waits for rollout newer-r1 to end/) });
    await change(4);
    expect((await rollOut('newer')).status).toBe(202);
    expect((await api.call('GET', '/api/v1/rollouts/newer-r2')).body).toMatchObject({
      status: { phase: 'superseded', reason: 'superseded by revision 3 before it began' },
      endedAt: expect.any(String),
    });
    expect(api.actions.startDeploy.mock.calls.flat().filter((id) => id.startsWith('newer'))).toEqual(['newer-r1', 'newer-r2', 'newer-r3']);

    const wait = { turn: 'wait', behind: 'newer-r1', behindWorkflowId: 'deploy-newer-r1' };
    expect([await takeTurn(api.db, 'newer-r1'), await takeTurn(api.db, 'newer-r2'), await takeTurn(api.db, 'newer-r3')]).toMatchObject([
      { turn: 'begin' },
      { turn: 'over', status: { phase: 'superseded' } },
      wait,
    ]);
    await succeed('newer-r1');
    expect([await takeTurn(api.db, 'newer-r3'), await takeTurn(api.db, 'newer-r3')]).toEqual([{ turn: 'begin' }, { turn: 'begin' }]);
    expect(await loadRollout(api.db, 'newer-r3')).toMatchObject({ fromRevision: 1 });
  });

  it('leaves nothing behind where the workflow does not start', async () => {
    await create('half');
    api.actions.startDeploy.mockRejectedValueOnce(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'away' }));
    expect((await rollOut('half')).status).toBe(503);
    expect(await api.db.select().from(revisions).where(eq(revisions.deployment, 'half'))).toEqual([]);
    expect((await api.call('GET', `${PATH}/half`)).body).toMatchObject({ status: { latestRevision: null, rollout: null } });
    expect((await api.call<{ items: unknown[] }>('GET', '/api/v1/audit?name=half')).body.items).toHaveLength(1);
    expect((await rollOut('half')).body).toMatchObject({ id: 'half-r1' });
  });

  it('goes back to an earlier revision under an id of its own', async () => {
    await create('back');
    await succeed((await rollOut('back')).body.id);
    await api.call('PUT', `${PATH}/back`, deployment('back', { replicas: { min: 2, max: 4 } }));
    await succeed((await rollOut('back')).body.id);
    const again = await rollOut('back', { revision: 1 });
    expect(again.body).toMatchObject({ id: 'back-r1-2', revision: 1, workflowId: 'deploy-back-r1-2' });
    expect(await loadRollout(api.db, 'back-r1-2')).toMatchObject({ fromRevision: 2, spec: { replicas: { min: 1 } } });
    const made = await api.db
      .select()
      .from(revisions)
      .where(and(eq(revisions.deployment, 'back')));
    expect(made).toHaveLength(2);
  });

  it.each([
    [{ revision: 7 }, 'revision'],
    [{ revision: 'x' }, 'revision'],
    [{ revision: 0 }, 'revision'],
    [{ to: 1 }, 'to'],
  ])('refuses %j', async (body, field) => {
    await create('strict');
    const answer = await rollOut('strict', body);
    expect([answer.status, answer.body]).toMatchObject([422, { issues: [{ field }] }]);
    expect(api.actions.startDeploy).not.toHaveBeenCalled();
  });

  it('is not found for a deployment that is not there', async () => {
    expect((await rollOut('nobody')).status).toBe(404);
  });

  it('takes an empty body with a content type', async () => {
    await create('empty');
    const response = await api.app.request(`${PATH}/empty/rollouts`, { method: 'POST', headers: { 'content-type': 'application/json' } });
    expect(response.status).toBe(202);
  });
});
