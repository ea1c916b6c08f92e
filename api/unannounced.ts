/**
 * What no notice tells of: whether Postgres and Temporal answer, which replicas gateways reach, how far a drain is. While somebody watches it is
 * looked at here, once for all watchers, so that none of them has to ask.
 */
import type { Database } from '../db/client.ts';
import { countDrainingHosts } from '../db/queries/hosts.ts';
import type { ChangeKind } from './events.ts';
import type { Readiness } from './health.ts';
import { unreachableReplicas } from './routes/replicas/unreachable.ts';

/** What was seen, as text to be compared. */
export interface Seen {
  readiness: string;
  unreachable: string;
  draining: boolean;
}

export async function look(db: Database, readiness: () => Promise<Readiness>): Promise<Seen> {
  const { checks } = await readiness();
  // Where Postgres is away, that is all there is to see.
  const unreachable = await unreachableReplicas(db).catch(() => new Map<string, string>());
  const draining = await countDrainingHosts(db).catch(() => 0);
  return { readiness: JSON.stringify(checks), unreachable: JSON.stringify([...unreachable].sort()), draining: draining > 0 };
}

/** A drain goes on from one look to the next, and its end was another change still. */
export function changesSince(before: Seen, now: Seen): ChangeKind[] {
  const changes: ChangeKind[] = [];
  if (now.readiness !== before.readiness) changes.push('readiness');
  if (now.unreachable !== before.unreachable) changes.push('replicas');
  if (now.draining || before.draining) changes.push('hosts');
  return changes;
}
