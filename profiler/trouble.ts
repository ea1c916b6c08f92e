/** Why training does not go on: Postgres is away, or something else is wrong. */
import { databaseOutage, queryTrouble } from '../db/outage.ts';

export interface Trouble {
  /** Is it Postgres that does not answer? */
  isOutage: boolean;
  /** For people. */
  reason: string;
}

export const NOT_CONNECTED: Trouble = { isOutage: true, reason: 'Postgres was not asked yet' };

export function troubleOf(error: unknown): Trouble {
  const reason = queryTrouble(error);
  return databaseOutage(error)
    ? { isOutage: true, reason: `Postgres does not answer (${reason})` }
    : { isOutage: false, reason: `training fails (${reason})` };
}

/** A server that hangs closes no connection: one that answers nothing for `silentMs` counts as away. @param waitsSinceMs null where nothing was asked */
export function silence(waitsSinceMs: number | null, silentMs: number): Trouble | null {
  const sinceMs = waitsSinceMs === null ? 0 : performance.now() - waitsSinceMs;
  return sinceMs < silentMs ? null : { isOutage: true, reason: `Postgres does not answer (for ${Math.round(sinceMs / 1000)} s)` };
}
