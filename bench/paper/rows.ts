/** What is compared: policies, how engines batch, and what is known of lengths. */
import { schedulerPolicy } from '../../core/scheduler/registry.ts';
import { uellmStatic } from '../../core/scheduler/static-batch-scheduler.ts';
import type { SchedulerPolicy } from '../../core/scheduler/types.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';
import type { Lengths } from './predictions.ts';
import { continuousEngines, MAX_BATCH, staticEngines } from './scenario.ts';

export interface Row {
  label: string;
  batching: string;
  policy: SchedulerPolicy;
  lengths: Lengths;
  /** Whether the policy looks at predicted lengths: where not, they are not named. */
  usesLengths: boolean;
  engines: (count: number) => ReplicaSpec[];
}

const ALL: readonly Lengths[] = ['none', 'learned', 'noisy', 'oracle'];

export const ROWS: readonly Row[] = [
  ...inBatches('FIFO, as Morphling', schedulerPolicy('morphling'), null),
  ...inBatches('S3', schedulerPolicy('s3')),
  ...inBatches('SLO-DBS', schedulerPolicy('slo-dbs'), null),
  ...inBatches('ODBS', schedulerPolicy('odbs')),
  ...inBatches('SLO-ODBS', schedulerPolicy('slo-odbs')),
  ...inBatches('uellm', uellmStatic),
  ...[MAX_BATCH, 256].flatMap((slots) => [
    continuously('EDF', schedulerPolicy('edf'), slots),
    continuously('uellm', schedulerPolicy('uellm'), slots),
  ]),
];

function inBatches(label: string, policy: SchedulerPolicy, all: readonly Lengths[] | null = ALL): Row[] {
  return (all ?? (['none'] as const)).map((lengths) => ({
    label,
    batching: `static, ${MAX_BATCH}`,
    policy,
    lengths,
    usesLengths: all !== null,
    engines: staticEngines,
  }));
}

function continuously(label: string, policy: SchedulerPolicy, slots: number): Row {
  return {
    label,
    batching: `continuous, ${slots}`,
    policy,
    lengths: 'learned',
    usesLengths: true,
    engines: (count) => continuousEngines(count, slots),
  };
}
