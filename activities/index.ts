/**
 * Effects that workflows ask for, made by factories so that tests pass their own parts. Two sets: the control plane's, served on the
 * control task queue beside the database, and a host's (`host/`), served on that host. Every activity may run twice and ends the same.
 */
import { createCanaryActivities } from './canary.ts';
import type { ControlDeps } from './deps.ts';
import { withFailures } from './failures.ts';
import { createHostRecordActivities } from './hosts.ts';
import { createMonitoringActivities } from './monitoring/index.ts';
import { createPlanningActivities } from './planning.ts';
import { createProposalActivities } from './proposals/index.ts';
import { createReloadRecordActivities } from './reloads.ts';
import { createReplicaActivities } from './replicas.ts';
import { createRolloutActivities } from './rollouts.ts';

export type { RolloutRecord, Turn } from '../db/queries/rollouts.ts';
export type { EngineSpec } from '../engines/driver.ts';
export type { ControlDeps } from './deps.ts';
export { createHostActivities, type HostActivities, type HostDeps, type ReloadedEngine } from './host/index.ts';
export type { LookReport, WorkflowToStart } from './monitoring/index.ts';
export type { BegunProposal, ProposalStatus } from './proposals/index.ts';
export type { ReloadTarget, RevisionEngine } from './reloads.ts';
export type { RequestsLeft, UnroutedReplica } from './replicas.ts';

export function createControlActivities(deps: ControlDeps) {
  return withFailures({
    ...createRolloutActivities(deps),
    ...createCanaryActivities(deps),
    ...createPlanningActivities(deps),
    ...createProposalActivities(deps),
    ...createReplicaActivities(deps),
    ...createReloadRecordActivities(deps),
    ...createHostRecordActivities(deps),
    ...createMonitoringActivities(deps),
  });
}

export type ControlActivities = ReturnType<typeof createControlActivities>;
