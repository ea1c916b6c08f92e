import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeSchedule, readSchedules } from '../api/temporal-schedules.ts';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { workflowIds } from '../workflows/messages.ts';
import { ensureMonitorSchedule, ensureRebalanceSchedule } from './temporal-setup.ts';

let temporal: TestNamespace;
beforeAll(async () => {
  temporal = await createTestNamespace();
});
afterAll(() => temporal.close());

const schedule = () => temporal.client.schedule.getHandle(workflowIds.monitorSchedule).describe();

describe('the schedule of monitoring', () => {
  it('is made once, and takes another interval without losing what an operator made of it', async () => {
    await ensureMonitorSchedule(temporal.client, 10);
    expect(await schedule()).toMatchObject({
      spec: { intervals: [{ every: 60_000 }] },
      policies: { overlap: 'SKIP', catchupWindow: 60_000 },
      action: { workflowType: 'scheduledMonitoring', args: [{ everySeconds: 10, forSeconds: 60 }] },
    });
    await temporal.client.schedule.getHandle(workflowIds.monitorSchedule).pause('not now');
    await ensureMonitorSchedule(temporal.client, 5);
    expect(await schedule()).toMatchObject({
      action: { args: [{ everySeconds: 5, forSeconds: 60 }] },
      state: { paused: true, note: 'not now' },
      policies: { overlap: 'SKIP' },
    });
  });

  it('goes where monitoring is switched off, whether it was there or not', async () => {
    await ensureMonitorSchedule(temporal.client, 0);
    await expect(schedule()).rejects.toThrow(/not found/i);
    await ensureMonitorSchedule(temporal.client, 0);
  });
});

describe('the schedule of rebalancing', () => {
  it('is read, changed and paused, and the next start leaves it so', async () => {
    const { client } = temporal;
    await expect(changeSchedule(client, 'rebalance', { paused: true })).rejects.toThrow('rebalance');
    await ensureRebalanceSchedule(client, 5);
    expect(await readSchedules(client)).toMatchObject([{ name: 'rebalance', everySeconds: 300, paused: false, note: '' }]);
    await changeSchedule(client, 'rebalance', { everySeconds: 90, note: 'busy' });
    const changed = await changeSchedule(client, 'rebalance', { paused: true });
    expect(changed).toMatchObject({ everySeconds: 90, paused: true, note: 'busy', nextRunAt: null });
    await ensureRebalanceSchedule(client, 5);
    expect(await readSchedules(client)).toEqual([changed]);
    expect(await client.schedule.getHandle(workflowIds.rebalanceSchedule).describe()).toMatchObject({
      policies: { overlap: 'SKIP', catchupWindow: 90_000 },
      action: { workflowType: 'scheduledRebalance' },
    });
    expect((await changeSchedule(client, 'rebalance', { paused: false })).nextRunAt).toBeInstanceOf(Date);
  });

  it('lets how often monitoring looks to the environment', async () => {
    await ensureMonitorSchedule(temporal.client, 10);
    await expect(changeSchedule(temporal.client, 'monitor', { everySeconds: 20 })).rejects.toThrow('UELLM_MONITOR_SECONDS');
    expect(await changeSchedule(temporal.client, 'monitor', { paused: true })).toMatchObject({ name: 'monitor', paused: true });
  });
});
