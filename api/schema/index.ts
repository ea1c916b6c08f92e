/** The shapes that the API takes and gives: types that follow from the zod schemas beside this file. Clients (`cli/`, `web/`) import from here, and types only. */
export type { FieldIssue } from '../../core/domain/errors.ts';
export type * from './cluster.ts';
export type * from './common.ts';
export type * from './cost.ts';
export type * from './deployments.ts';
export type * from './diagnosis.ts';
export type * from './hosts.ts';
export type * from './keys.ts';
export type * from './logs.ts';
export type * from './models.ts';
export type * from './plans.ts';
export type * from './profiler.ts';
export type * from './records.ts';
export type * from './replicas.ts';
export type * from './rollouts.ts';
export type * from './slo-policies.ts';
export type * from './tenants.ts';
export type * from './what-if.ts';
