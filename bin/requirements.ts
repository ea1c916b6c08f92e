/** What roles need of the environment that has no default for all. */

import type { Logger } from 'pino';
import { isLoopbackAddress } from '../core/domain/access.ts';
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

/** `uellm up` declares its fleet and sends its traffic itself: where that takes a key, it has to have one. @throws invalid-input */
export function requireOwnKey({ apiKey, bind, oidc }: Environment): void {
  if (apiKey !== undefined || (isLoopbackAddress(bind) && !oidc)) return;
  const reason = oidc ? 'UELLM_OIDC_ISSUER asks everybody for a token or a key' : `UELLM_BIND is ${bind}`;
  const allowed = `a key, since ${reason} and \`uellm up\` needs one itself`;
  throw new UellmError({ kind: 'invalid-input', what: 'the environment', issues: [{ field: 'UELLM_API_KEY', given: 'nothing', allowed }] });
}
