/** What uellm needs of a Temporal namespace beside workers: its search attributes, and the schedule of rebalancing. Safe to run at every start. */
import { type Client, type Connection, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import proto from '@temporalio/proto';
import { CONTROL_TASK_QUEUE, workflowIds } from '../workflows/messages.ts';
import { searchAttributes } from '../workflows/search-attributes.ts';

/** Adds the search attributes that are missing, and waits until the server takes them. */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const names = Object.values(searchAttributes).map((key) => key.name);
  const missing = async () => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    return names.filter((name) => !(name in (customAttributes ?? {})));
  };
  const toAdd = await missing();
  if (toAdd.length === 0) return;
  const type = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD;
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(toAdd.map((name) => [name, type])),
  });
  for (let left = toAdd; left.length > 0; left = await missing()) await new Promise((resolve) => setTimeout(resolve, 100));
}

/**
 * Hangs rebalancing on a schedule, unless one is there: an operator may have changed or paused it. A run that is due while another runs is
 * skipped, and of those missed while Temporal was away only the last interval's is made up.
 */
export async function ensureRebalanceSchedule(client: Client, everyMinutes: number): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: workflowIds.rebalanceSchedule,
      spec: { intervals: [{ every: `${everyMinutes}m` }] },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: `${everyMinutes}m` },
      action: { type: 'startWorkflow', workflowType: 'scheduledRebalance', taskQueue: CONTROL_TASK_QUEUE, args: [] },
      memo: { purpose: 'looks every few minutes whether the placement still fits the demand' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
