/**
 * The activities of one GPU host, served by the worker that runs there on the task queue `host-<name>`. They start and stop engines, wait
 * for them, calibrate them, and say that the host is alive. They know no database: what they find goes back to the workflow.
 */
import type { Logger } from 'pino';
import type { EngineDriver } from '../../engines/driver.ts';
import type { EngineHost } from '../../engines/host.ts';
import { withFailures } from '../failures.ts';
import { createCalibrationActivities } from './calibrate.ts';
import { createEngineActivities } from './engines.ts';
import { createPresenceActivities } from './presence.ts';
import { createWeightActivities } from './weights.ts';

export interface HostDeps {
  host: string;
  engines: EngineHost;
  drivers: readonly EngineDriver[];
  logger: Logger;
}

export function createHostActivities(deps: HostDeps) {
  return withFailures({
    ...createEngineActivities(deps),
    ...createCalibrationActivities(deps),
    ...createPresenceActivities(deps),
    ...createWeightActivities(deps),
  });
}

export type HostActivities = ReturnType<typeof createHostActivities>;
