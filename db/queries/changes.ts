/** Tells whoever watches (the dashboard, `--watch`) that objects of a kind changed. Carries no data: watchers read again. */
import { sql } from 'drizzle-orm';
import type { Executor } from '../client.ts';

/** NOTIFY channel; its payload is a `ChangeKind`. */
export const CHANGES_CHANNEL = 'uellm_changes';

export type ChangeKind =
  | 'hosts'
  | 'models'
  | 'slo-policies'
  | 'tenants'
  | 'keys'
  | 'deployments'
  | 'replicas'
  | 'plans'
  | 'rollouts'
  | 'corrections'
  | 'proposals'
  | 'profiler';

/** Delivered when the surrounding transaction commits; Postgres folds equal notices of one transaction into one. */
export async function notifyChange(db: Executor, kind: ChangeKind): Promise<void> {
  await db.execute(sql`select pg_notify(${CHANGES_CHANNEL}, ${kind})`);
}
