/**
 * The activities of one GPU host, served by the worker that runs there on the task queue `host-<name>`. They start and stop engines, wait
 * for them, calibrate them, and say that the host is alive. They know no database: what they find goes back to the workflow.
 */
import { withFailures } from '../failures.ts';
import { createCalibrationActivities } from './calibrate.ts';
import type { HostDeps } from './deps.ts';
import { createEngineActivities } from './engines.ts';
import { createLogActivities } from './logs.ts';
import { createPresenceActivities } from './presence.ts';
import { createReloadActivities } from './reload.ts';
import { createWeightActivities } from './weights.ts';

export type { HostDeps } from './deps.ts';
export type { ReloadedEngine } from './reload.ts';

export function createHostActivities(deps: HostDeps) {
  return withFailures({
    ...createEngineActivities(deps),
    ...createCalibrationActivities(deps),
    ...createLogActivities(deps),
    ...createPresenceActivities(deps),
    ...createReloadActivities(deps),
    ...createWeightActivities(deps),
  });
}

export type HostActivities = ReturnType<typeof createHostActivities>;
