/** A snapshot without what it knows of one tenant: after the tenant's observations were deleted. */
import type { OutputHead, ProfilerSnapshot } from './snapshot.ts';
import { tenantBucket, withoutBucket } from './tenants.ts';

/**
 * Tenants that share its bucket are learned anew with it. What all share (levels, weights of words) was learned from everybody and stays.
 * @returns the snapshot itself where it knows nothing of the tenant
 */
export function forgetTenant(snapshot: ProfilerSnapshot, tenant: string): ProfilerSnapshot {
  const bucket = tenantBucket(tenant);
  const shared = without(snapshot.shared, bucket);
  const models = Object.entries(snapshot.models).map(([model, head]) => [model, without(head, bucket)] as const);
  const isKnown = shared !== snapshot.shared || models.some(([model, head]) => head !== snapshot.models[model]);
  return isKnown ? { ...snapshot, shared, models: Object.fromEntries(models) } : snapshot;
}

function without(head: OutputHead, bucket: number): OutputHead {
  const tenants = withoutBucket(head.tenants, bucket);
  return tenants === head.tenants ? head : { ...head, tenants };
}
