/** Fetches the end of a log from a host, which nobody but its worker can read. Whoever asks waits: an answer that does not come at once is given up. */
import { type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { HostActivities } from '../activities/index.ts';
import type { LogTail } from '../core/domain/log-tail.ts';
import { hostTaskQueue, type ReadLogInput } from './messages.ts';

export async function readLog({ host, replicaId, lines }: ReadLogInput): Promise<LogTail> {
  const {
    readLog: read,
  }: Pick<ActivityInterfaceFor<HostActivities>, 'readLog'> = proxyActivities<HostActivities>({
    taskQueue: hostTaskQueue(host),
    scheduleToCloseTimeout: '4s',
    retry: { maximumAttempts: 1 },
  });
  return read(replicaId, lines);
}
