/** Replicas that are ready by their rows and do not answer: what the gateways that route to them report. */
import type { Executor } from '../../../db/client.ts';
import { liveLeases } from '../../../db/queries/leases.ts';

/** A gateway that has not renewed its lease for so long tells nothing any more. */
const LEASE_AGE_MS = 10_000;

/** Replica id → why it cannot be reached, in the words of the first live gateway that says so. */
export async function unreachableReplicas(db: Executor): Promise<Map<string, string>> {
  const leases = await liveLeases(db, LEASE_AGE_MS);
  return new Map(leases.reverse().flatMap(({ unhealthy }) => Object.entries(unhealthy)));
}
