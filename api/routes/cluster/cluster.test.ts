import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conflict, UellmError } from '../../../core/domain/errors.ts';
import { createTestApi, type TestApi } from '../../../test/support/api.ts';
import { rebalanceSchema, scheduleSchema } from '../../schema/cluster.ts';

let api: TestApi;
beforeAll(async () => {
  api = await createTestApi();
});
afterAll(() => api.close());

describe('rebalances', () => {
  it('start under the one id that schedules share, a dry run under an id of its own', async () => {
    const real = await api.call('POST', '/api/v1/rebalances', {});
    expect([real.status, real.body, real.headers.get('location')]).toEqual([
      202,
      { workflowId: 'rebalance-cluster', dryRun: false },
      '/api/v1/rebalances/rebalance-cluster',
    ]);
    const dry = await api.call<{ workflowId: string }>('POST', '/api/v1/rebalances', { dryRun: true });
    expect(dry.body.workflowId).toMatch(/^rebalance-dry-run-[\w-]{36}$/);
    expect(api.actions.startRebalance).toHaveBeenLastCalledWith(dry.body.workflowId, { dryRun: true, requestedBy: 'admin' });
    expect((await api.call('GET', '/api/v1/audit?kind=rebalances')).body).toMatchObject({
      items: [{ after: { dryRun: true } }, { after: { dryRun: false } }],
    });
  });

  it('are one at a time', async () => {
    api.actions.startRebalance.mockRejectedValueOnce(conflict('rebalance', 'rebalance-cluster', 'one is running already'));
    expect((await api.call('POST', '/api/v1/rebalances')).status).toBe(409);
    expect((await api.call('POST', '/api/v1/rebalances', { dryRun: 'yes' })).body).toMatchObject({ issues: [{ field: 'dryRun' }] });
  });

  it('tell how they stand', async () => {
    const get = async () => (await api.call('GET', '/api/v1/rebalances/rebalance-cluster')).body;
    expect((await api.call('GET', '/api/v1/rebalances/rebalance-cluster')).status).toBe(404);
    api.actions.rebalance.mockResolvedValueOnce({ state: 'running' });
    expect(rebalanceSchema.parse(await get())).toMatchObject({ state: 'running', result: null, failure: null });
    const result = { planId: 'p', outcome: 'moved' as const, reason: 'cheaper', summary: null, held: [] };
    api.actions.rebalance.mockResolvedValueOnce({ state: 'completed', result });
    expect(rebalanceSchema.parse(await get())).toMatchObject({ state: 'completed', result });
    api.actions.rebalance.mockResolvedValueOnce({ state: 'failed', failure: 'why' });
    expect(rebalanceSchema.parse(await get())).toMatchObject({ state: 'failed', failure: 'why' });
  });
});

describe('schedules', () => {
  const schedule = {
    ...{ name: 'rebalance' as const, everySeconds: 300, paused: false, note: '' },
    ...{ lastRunAt: null, nextRunAt: new Date(0) },
  };

  it('are read, changed and set', async () => {
    api.actions.schedules.mockResolvedValue([schedule]);
    const { body } = await api.call<{ items: unknown[] }>('GET', '/api/v1/schedules');
    expect(body.items.map((s) => scheduleSchema.parse(s))).toEqual([{ ...schedule, nextRunAt: '1970-01-01T00:00:00.000Z' }]);
    expect((await api.call('GET', '/api/v1/schedules/rebalance')).body).toMatchObject({ everySeconds: 300 });
    expect((await api.call('GET', '/api/v1/schedules/monitor')).status).toBe(404);

    expect((await api.call('PATCH', '/api/v1/schedules/rebalance', { paused: true })).status).toBe(200);
    expect(api.actions.changeSchedule).toHaveBeenLastCalledWith('rebalance', { paused: true });
    expect((await api.call('PUT', '/api/v1/schedules/rebalance', { everySeconds: 60 })).status).toBe(200);
    expect(api.actions.changeSchedule).toHaveBeenLastCalledWith('rebalance', { everySeconds: 60, paused: false, note: '' });
    expect((await api.call('GET', '/api/v1/audit?kind=schedules')).body).toMatchObject({
      items: [{ action: 'change' }, { action: 'change' }],
    });
  });

  it('are refused what they cannot be', async () => {
    expect((await api.call('PATCH', '/api/v1/schedules/rebalance', { everySeconds: 1 })).status).toBe(422);
    expect((await api.call('PATCH', '/api/v1/schedules/lunch', { paused: true })).status).toBe(404);
  });
});

describe('a rebalance under way', () => {
  it('is cancelled, and where none runs that is said', async () => {
    expect((await api.call('POST', '/api/v1/rebalances/cancel')).status).toBe(409);
    api.actions.cancelRebalance.mockResolvedValueOnce(true);
    expect((await api.call('POST', '/api/v1/rebalances/cancel')).status).toBe(202);
    expect(api.actions.cancelRebalance).toHaveBeenLastCalledWith('admin');
  });
});

describe('the installation', () => {
  it('says what it is', async () => {
    await api.call('POST', '/api/v1/hosts', { name: 's', accelerators: [{ kind: 'L4', count: 1 }], simulated: true });
    await api.call('POST', '/api/v1/hosts', { name: 'r', accelerators: [{ kind: 'L4', count: 1 }] });
    expect((await api.call('GET', '/api/v1/info')).body).toEqual({
      version: '0.0.0-test',
      temporalUiUrl: 'http://127.0.0.1:8233',
      gatewayUrl: 'http://127.0.0.1:8000',
      simulatedHosts: 1,
    });
  });

  it('is ready when Postgres and Temporal answer', async () => {
    expect(await api.call('GET', '/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, checks: { postgres: 'ok', temporal: 'ok' } },
    });
    api.actions.ping.mockRejectedValueOnce(new UellmError({ kind: 'unavailable', what: 'Temporal', reason: 'no connection' }));
    expect(await api.call('GET', '/readyz')).toMatchObject({
      status: 503,
      body: { ready: false, checks: { postgres: 'ok', temporal: 'Temporal is unavailable: no connection' } },
    });
    expect((await api.call('GET', '/healthz')).body).toEqual({ status: 'ok' });
  });
});
