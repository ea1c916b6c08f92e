/**
 * What runs by itself, as Temporal schedules: read, changed and paused. They are created when a control worker starts (`bin/temporal-setup.ts`),
 * and one that is there keeps what an operator has made of it.
 */
import { type Client, type ScheduleDescription, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { notFound, UellmError } from '../core/domain/errors.ts';
import { CONTROL_TASK_QUEUE, workflowIds } from '../workflows/messages.ts';
import type { Schedule, ScheduleChange, ScheduleName } from './actions.ts';

const IDS: Record<ScheduleName, string> = { rebalance: workflowIds.rebalanceSchedule, monitor: workflowIds.monitorSchedule };
const NAMES = Object.keys(IDS) as ScheduleName[];

/** A run that is due while another runs is skipped, and of those missed while Temporal was away only the last interval's is made up. */
export async function createRebalanceSchedule(client: Client, everySeconds: number): Promise<void> {
  await client.schedule.create({
    scheduleId: workflowIds.rebalanceSchedule,
    ...timing(everySeconds),
    action: { type: 'startWorkflow', workflowType: 'scheduledRebalance', taskQueue: CONTROL_TASK_QUEUE, args: [] },
    memo: { purpose: 'looks every few minutes whether the placement still fits the demand' },
  });
}

function timing(everySeconds: number) {
  const every = `${everySeconds}s` as const;
  return { spec: { intervals: [{ every }] }, policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: every } };
}

/** Those that are there: monitoring may be switched off. */
export async function readSchedules(client: Client): Promise<Schedule[]> {
  const found = await Promise.all(NAMES.map(async (name) => ({ name, is: await describe(client, name) })));
  return found.flatMap(({ name, is }) => (is ? [present(name, is)] : []));
}

/** @throws not-found, invalid-input */
export async function changeSchedule(client: Client, name: ScheduleName, change: ScheduleChange): Promise<Schedule> {
  const { everySeconds } = change;
  if (name === 'monitor' && everySeconds !== undefined) {
    const issues = [
      { field: 'everySeconds', given: String(everySeconds), allowed: 'nothing: UELLM_MONITOR_SECONDS says how often it looks' },
    ];
    throw new UellmError({ kind: 'invalid-input', what: 'the request body', issues });
  }
  if (!(await describe(client, name))) throw notFound('schedule', name);
  await client.schedule.getHandle(IDS[name]).update(({ spec, policies, state, ...rest }) => ({
    ...rest,
    spec,
    policies,
    ...(everySeconds === undefined ? {} : timing(everySeconds)),
    state: { ...state, paused: change.paused ?? state.paused, note: change.note ?? state.note ?? '' },
  }));
  return present(name, (await describe(client, name))!);
}

async function describe(client: Client, name: ScheduleName): Promise<ScheduleDescription | null> {
  try {
    return await client.schedule.getHandle(IDS[name]).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

function present(name: ScheduleName, { spec, state, info }: ScheduleDescription): Schedule {
  return {
    name,
    everySeconds: (spec.intervals?.[0]?.every ?? 0) / 1000,
    paused: state.paused,
    note: state.note ?? '',
    lastRunAt: info.recentActions.at(-1)?.takenAt ?? null,
    nextRunAt: state.paused ? null : (info.nextActionTimes[0] ?? null),
  };
}
