/** What every route that replays requests needs: the present to replay them in, and a bound on how many ask at once. */
import { UellmError } from '../../../core/domain/errors.ts';
import type { FleetInput } from '../../../core/placement/fleet/problem.ts';
import type { PresentFleet } from '../../../core/simulator/what-if-fleet.ts';
import type { Database } from '../../../db/client.ts';
import { gatewayPolicies } from '../../../db/queries/leases.ts';
import { watchedDeployments } from '../../../db/queries/modes.ts';
import { loadRoutingTable } from '../../../db/queries/routing.ts';

/** Replays that may be under way or waiting for each other; each takes seconds of one core. */
const MOST_AT_ONCE = 4;

/** What is read together is of one moment. */
export const SNAPSHOT = { isolationLevel: 'repeatable read', accessMode: 'read only' } as const;

/** Runs what replays. @throws unavailable where too many do already */
export type Replays = <T>(run: () => Promise<T>) => Promise<T>;

export function boundedReplays(): Replays {
  let underWay = 0;
  return async (run) => {
    if (underWay >= MOST_AT_ONCE) throw busy();
    underWay++;
    try {
      return await run();
    } finally {
      underWay--;
    }
  };
}

export async function loadPresent(db: Database, fleet: FleetInput): Promise<PresentFleet> {
  return db.transaction(async (tx) => {
    const { replicas: routed, policies, tenants = [] } = await loadRoutingTable(tx);
    const tenantWeights = Object.fromEntries(tenants.flatMap(({ name, weight }) => (weight === undefined ? [] : [[name, weight]])));
    const modes = Object.fromEntries((await watchedDeployments(tx)).map(({ name, mode }) => [name, mode]));
    return { fleet, routed, policies, tenantWeights, modes, gatewayPolicies: await gatewayPolicies(tx) };
  }, SNAPSHOT);
}

function busy(): UellmError {
  return new UellmError({
    kind: 'unavailable',
    what: 'the replay',
    reason: `${MOST_AT_ONCE} others are under way: again in a few seconds`,
  });
}
