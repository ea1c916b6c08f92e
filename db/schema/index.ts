/** The tables of uellm, one file an entity. `npm run db:generate` turns a change here into a committed migration. */
export * from './arrival-history.ts';
export * from './audit.ts';
export * from './corrections.ts';
export * from './deployments.ts';
export * from './hosts.ts';
export * from './models.ts';
export * from './monitor-memory.ts';
export * from './observations.ts';
export * from './plans.ts';
export * from './profiler.ts';
export * from './replicas.ts';
export * from './rollouts.ts';
export * from './routing.ts';
export * from './slo-policies.ts';
export * from './tenants.ts';
