/** What roles need of the environment that has no default for all. */

import type { Logger } from 'pino';
import { UellmError } from '../core/domain/errors.ts';
import { connectDatabase, type DatabaseConnection } from '../db/client.ts';
import type { Environment } from './environment.ts';

/** @throws invalid-input that names the variable */
export function requireDatabaseUrl({ databaseUrl }: Environment): string {
  if (databaseUrl) return databaseUrl;
  const allowed = 'a URL that begins with postgres:// (`uellm up` starts a Postgres of its own; a single role needs to be told of one)';
  throw new UellmError({ kind: 'invalid-input', what: 'the environment', issues: [{ field: 'DATABASE_URL', given: 'nothing', allowed }] });
}

/** @throws invalid-input that names the variable */
export function requireDatabase(environment: Environment, logger: Logger, maxConnections?: number): DatabaseConnection {
  return connectDatabase(requireDatabaseUrl(environment), {
    ...(maxConnections !== undefined && { maxConnections }),
    onError: (error) => logger.warn({ err: error }, 'an idle connection to Postgres broke'),
  });
}

/** The server that is given, else the one that `uellm up` starts on this machine. */
export function temporalAddress(environment: Environment): string {
  return environment.temporal.address ?? `127.0.0.1:${environment.ports.temporal}`;
}
