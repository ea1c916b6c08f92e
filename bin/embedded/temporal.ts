/**
 * A Temporal server of our own, for `uellm up` and for tests: the development server of the real `temporal` command, with its UI,
 * its history kept in a SQLite file. Give `TEMPORAL_ADDRESS` instead and none of this runs.
 */
import { Connection } from '@temporalio/client';
import { inheritedVariables } from '../environment/for-children.ts';
import type { ProcessSpec } from '../processes/launch.ts';

/** Of a task queue there is one piece, on one server: by default four, between which tasks and those who wait for them are passed on. */
const ONE_PARTITION = ['matching.numTaskqueueReadPartitions=1', 'matching.numTaskqueueWritePartitions=1'];

export interface EmbeddedTemporalOptions {
  /** Path of the `temporal` command. */
  command: string;
  address: string;
  port: number;
  uiPort: number;
  namespace: string;
  /** SQLite file of the history; nothing is kept where absent. */
  databaseFile?: string;
  logFile: string;
}

/** The server's process, to be started and supervised by the caller. */
export function embeddedTemporal(options: EmbeddedTemporalOptions): ProcessSpec {
  const { address, port, uiPort, namespace } = options;
  return {
    name: 'temporal',
    command: options.command,
    args: [
      ...['server', 'start-dev', '--ip', address, '--port', String(port), '--ui-port', String(uiPort), '--namespace', namespace],
      ...(options.databaseFile ? ['--db-filename', options.databaseFile] : []),
      ...ONE_PARTITION.flatMap((setting) => ['--dynamic-config-value', setting]),
      ...['--ui-disable-news-fetch', '--log-level', 'error', '--disable-config-file', '--disable-config-env'],
    ],
    // Its own variables (TEMPORAL_ADDRESS, TEMPORAL_PROFILE, ...) are meant for its client.
    env: inheritedVariables('PATH', 'HOME'),
    logFile: options.logFile,
    stopSignal: 'SIGTERM',
    stopGraceSeconds: 10,
    ready: () => servesNamespace(`${address}:${port}`, namespace),
    readyWithinSeconds: 45,
  };
}

/** One look at whether a Temporal server answers and knows the namespace. @throws with the reason while it does not */
export async function servesNamespace(address: string, namespace: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 2000 });
  try {
    await connection.workflowService.describeNamespace({ namespace });
    return true;
  } finally {
    await connection.close();
  }
}
