import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestNamespace, type TestNamespace } from '../test/support/temporal.ts';
import { workflowIds } from '../workflows/messages.ts';
import { ensureMonitorSchedule } from './temporal-setup.ts';

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
