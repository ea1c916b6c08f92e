/**
 * The admin key that the first start makes: for the day when the installation is bound elsewhere, or asked by somebody else. On a terminal it is
 * shown, once; what is not a terminal may be a log, which keeps what it is given: there it goes to a file, for its owner alone.
 */
import { rm, writeFile } from 'node:fs/promises';
import { sql } from 'drizzle-orm';
import type { Database } from '../../db/client.ts';
import { createKey } from '../../db/queries/keys.ts';
import { keys } from '../../db/schema/index.ts';

/** @returns what to say of the key; null where one was made before, be it revoked since */
export async function makeFirstKey(db: Database, file: string, isTerminal: boolean): Promise<string | null> {
  return db.transaction(async (tx) => {
    // Several may start on one database.
    await tx.execute(sql`lock table ${keys} in share row exclusive mode`);
    if ((await tx.$count(keys)) > 0) return null;
    const request = { name: 'first', role: 'admin', tenant: null, expiresInSeconds: null } as const;
    const { secret } = await createKey(tx, request, 'up');
    if (isTerminal) return `${secret} (an admin's, shown this once; this machine needs none)`;
    await rm(file, { force: true }); // of another database
    await writeFile(file, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    return `in ${file} (an admin's, for its owner alone to read; this machine needs none)`;
  });
}
