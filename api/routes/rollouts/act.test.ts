import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conflict, notFound, UellmError } from '../../../core/domain/errors.ts';
import { endRollout } from '../../../db/queries/rollouts.ts';
import { deployments, replicas } from '../../../db/schema/index.ts';
import { createTestApi, RUNNING, type TestApi } from '../../../test/support/api.ts';
import { rolloutResourceSchema } from '../../schema/rollouts.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
  await api.call('POST', '/api/v1/models', { name: 'm', source: 'hf://a/b' });
});
afterAll(() => api.close());

async function running(deployment: string): Promise<string> {
  await api.call('POST', '/api/v1/deployments', { name: deployment, model: 'm', engine: { kind: 'simulated' } });
  return (await api.call<{ id: string }>('POST', `/api/v1/deployments/${deployment}/rollouts`)).body.id;
}
const act = (id: string, action: string, body?: unknown) => api.call('POST', `/api/v1/rollouts/${id}/${action}`, body);

describe('a rollout', () => {
  it.each(['pause', 'resume', 'approve', 'abort'] as const)(
    'takes %s to its workflow, with who and why, and answers how it then stands',
    async (action) => {
      const id = await running(`to-${action}`);
      const { status, body } = await act(id, action, { reason: 'because' });
      expect(status).toBe(200);
      expect(rolloutResourceSchema.parse(body)).toMatchObject({ id, status: { phase: action === 'pause' ? 'paused' : 'running' } });
      expect(api.actions.updateRollout).toHaveBeenLastCalledWith(id, action, { by: 'admin', reason: 'because' });
      expect((await api.call('GET', `/api/v1/audit?kind=rollouts&name=${id}`)).body).toMatchObject({
        items: [{ action, after: { reason: 'because' } }],
      });
    },
  );

  it('tells what its workflow declines, and that no worker answers, and audits neither', async () => {
    const id = await running('declines');
    api.actions.updateRollout.mockRejectedValueOnce(conflict('rollout', id, 'cannot resume: it is not paused'));
    expect(await act(id, 'resume')).toMatchObject({ status: 409, body: { detail: expect.stringContaining('not paused') } });
    api.actions.updateRollout.mockRejectedValueOnce(
      new UellmError({ kind: 'unavailable', what: 'the control worker', reason: 'no answer' }),
    );
    expect((await act(id, 'resume')).status).toBe(503);
    expect((await api.call('GET', `/api/v1/audit?kind=rollouts&name=${id}`)).body).toMatchObject({ items: [] });
  });

  it('that has ended takes nothing more', async () => {
    const id = await running('ended');
    await endRollout(api.db, id, { ...RUNNING, phase: 'rolled-back' });
    expect(await act(id, 'abort')).toMatchObject({ status: 409, body: { detail: expect.stringContaining('rolled-back') } });
    expect((await act('nothing-r1', 'abort')).status).toBe(404);
  });

  it('whose workflow is gone is ended by an abort, so that its deployment is free again', async () => {
    const id = await running('orphan');
    api.actions.updateRollout.mockRejectedValue(notFound('running workflow of rollout', id));
    expect(await act(id, 'pause')).toMatchObject({ status: 409, body: { detail: expect.stringContaining('abort') } });
    expect(await act(id, 'abort')).toMatchObject({ status: 200, body: { status: { phase: 'failed' }, endedAt: expect.any(String) } });
    expect((await api.call('POST', '/api/v1/deployments/orphan/rollouts')).status).toBe(202);
  });

  it('gives the revision that served before all traffic again, where nobody else does', async () => {
    const id = await running('halfway');
    await api.db.update(deployments).set({ currentRevision: 7 }).where(eq(deployments.name, 'halfway'));
    const replica = (name: string, revision: number, weight: number) => ({
      ...{ id: name, deployment: 'halfway', revision, weight, model: 'm', host: 'h1', accelerators: [0], acceleratorKind: 'L4' },
      ...{ tensorParallel: 1, engine: 'simulated' as const, state: 'ready' as const, simulated: true, reason: '', planId: 'p' },
    });
    await api.db.insert(replicas).values([replica('old', 7, 0), replica('new', 1, 100)]);
    api.actions.updateRollout.mockRejectedValueOnce(notFound('running workflow of rollout', id));
    expect((await act(id, 'abort')).status).toBe(200);
    const rows = await api.db.select().from(replicas).where(eq(replicas.deployment, 'halfway')).orderBy(replicas.id);
    expect(rows.map((r) => [r.id, r.weight])).toEqual([
      ['new', 0],
      ['old', 100],
    ]);
  });

  it('is listed, newest first, by deployment and by phase', async () => {
    const { body } = await api.call<{ items: { id: string }[] }>('GET', '/api/v1/rollouts?deployment=orphan');
    expect(body.items.map((r) => r.id)).toEqual(['orphan-r2', 'orphan-r1']);
    const first = await api.call<{ items: { id: string }[]; next: string }>('GET', '/api/v1/rollouts?deployment=orphan&limit=1');
    const second = await api.call<{ items: { id: string }[] }>(
      'GET',
      `/api/v1/rollouts?deployment=orphan&limit=1&cursor=${first.body.next}`,
    );
    expect([first.body.items[0]?.id, second.body.items[0]?.id, 'next' in second.body]).toEqual(['orphan-r2', 'orphan-r1', false]);
    const ended = await api.call<{ items: { id: string }[] }>('GET', '/api/v1/rollouts?phase=rolled-back');
    expect(ended.body.items.map((r) => r.id)).toEqual(['ended-r1']);
    expect((await api.call('GET', '/api/v1/rollouts?phase=over')).body).toMatchObject({ issues: [{ field: 'phase', given: '"over"' }] });
  });
});
