/** `uellm keys create --offline`: a key made right in the database, by whoever may write there anyway. */
import { userInfo } from 'node:os';
import { presentKey } from '../api/routes/keys/keys.ts';
import type { KeyCreated, KeyInput } from '../api/schema/index.ts';
import { keyInputSchema } from '../api/schema/keys.ts';
import { parseInput } from '../core/domain/validate.ts';
import { connectDatabase } from '../db/client.ts';
import { createKey } from '../db/queries/keys.ts';
import { referToTenant } from '../db/queries/tenants.ts';
import type { Environment } from './environment.ts';
import { requireDatabaseUrl } from './requirements.ts';

/** @throws invalid-input */
export async function createKeyOffline(environment: Environment, input: KeyInput): Promise<KeyCreated> {
  const { role, tenant = null, name = null, expiresInSeconds = null } = parseInput(keyInputSchema, input, 'the command');
  const { db, close } = connectDatabase(requireDatabaseUrl(environment), { maxConnections: 1 });
  try {
    const actor = `offline:${userInfo().username}`;
    const { row, secret } = await db.transaction(async (tx) => {
      if (tenant !== null) await referToTenant(tx, tenant);
      return createKey(tx, { role, tenant, name, expiresInSeconds }, actor);
    });
    return { ...presentKey(row), secret };
  } finally {
    await close();
  }
}
