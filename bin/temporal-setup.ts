/** What uellm needs of a Temporal namespace beside workers: its search attributes, and its schedules. Safe to run at every start. */
import { type Client, type Connection, ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import proto from '@temporalio/proto';
import { createRebalanceSchedule } from '../api/temporal-schedules.ts';
import { CONTROL_TASK_QUEUE, type MonitorInput, workflowIds } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';

const { IndexedValueType } = proto.temporal.api.enums.v1;

/** Adds the search attributes that are missing, and waits until the server takes them. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const missing = async () => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return Object.values(searchAttributes).filter((key) => !(key.name in (customAttributes ?? {})));
  };
  const toAdd = await missing();
  if (toAdd.length === 0) return;
  const typeOf = (type: string) =>
    type === 'KEYWORD_LIST' ? IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST : IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(toAdd.map((key) => [key.name, typeOf(key.type)])),
  });
  for (let left = toAdd; left.length > 0; left = await missing()) await new Promise((resolve) => setTimeout(resolve, 100));
}

/** Hangs rebalancing on a schedule, unless one is there: an operator may have changed or paused it. */
export async function ensureRebalanceSchedule(client: Client, everyMinutes: number): Promise<void> {
  try {
    await createRebalanceSchedule(client, everyMinutes * 60);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

/** A run of monitoring lasts a minute and looks several times: a run for each look would fill Temporal with histories that say nothing. */
const MONITOR_RUN_SECONDS = 60;

/**
 * Hangs monitoring on a schedule like rebalancing's, or takes the schedule away. One that is there keeps what an operator has made of it, but
 * looks as often as it is now told to.
 * @param everySeconds from one look to the next, at most 60; 0 for no monitoring
 */
export async function ensureMonitorSchedule(client: Client, everySeconds: number): Promise<void> {
  const handle = client.schedule.getHandle(workflowIds.monitorSchedule);
  if (everySeconds === 0) {
    await handle.delete().catch((error: unknown) => {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
    });
    return;
  }
  const input: MonitorInput = { everySeconds, forSeconds: MONITOR_RUN_SECONDS };
  const action = { type: 'startWorkflow' as const, workflowType: 'scheduledMonitoring', taskQueue: CONTROL_TASK_QUEUE, args: [input] };
  try {
    await client.schedule.create({
      scheduleId: workflowIds.monitorSchedule,
      spec: { intervals: [{ every: `${MONITOR_RUN_SECONDS}s` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: `${MONITOR_RUN_SECONDS}s` },
      action,
      state: { triggerImmediately: true },
      memo: { purpose: 'compares what was predicted with what happened, and corrects it' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await handle.update(({ action: _, ...present }) => ({ ...present, action }));
  }
}
