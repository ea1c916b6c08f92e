import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../db/client.ts';
import { listKeys, revokeKey, useKey } from '../../db/queries/keys.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { makeFirstKey } from './first-key.ts';

let database: TestDatabase;
let db: Database;
let directory: string;
let file: string;
beforeEach(async () => {
  database = await createTestDatabase();
  db = database.connection.db;
  directory = mkdtempSync(join(tmpdir(), 'uellm-first-key-'));
  file = join(directory, 'admin-key');
});
afterEach(async () => {
  await database.drop();
  rmSync(directory, { recursive: true, force: true });
});

describe('the first key', () => {
  it('is shown once on a terminal, and kept nowhere', async () => {
    const said = await makeFirstKey(db, file, true);
    const secret = said!.split(' ')[0]!;
    expect(await useKey(db, secret)).toMatchObject({ role: 'admin', tenant: null, name: 'first', createdBy: 'up' });
    expect(existsSync(file)).toBe(false);
    expect(await makeFirstKey(db, file, true)).toBeNull();
  });

  it('is in no log, but in a file of its owner', async () => {
    const said = await makeFirstKey(db, file, false);
    expect(said).toContain(file);
    expect(said).not.toMatch(/uellm_[\w-]{43}/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await useKey(db, readFileSync(file, 'utf8').trim())).toMatchObject({ role: 'admin' });
  });

  it('is made neither again once it was revoked, nor by two at once', async () => {
    const said = await Promise.all([makeFirstKey(db, file, true), makeFirstKey(db, file, true)]);
    expect(said.filter((text) => text === null)).toHaveLength(1);
    const { items } = await listKeys(db, { limit: 10 }, null);
    await db.transaction((tx) => revokeKey(tx, items[0]!.id, null, 'test'));
    expect(await makeFirstKey(db, file, true)).toBeNull();
  });

  it('is not made where it cannot be handed over', async () => {
    await expect(makeFirstKey(db, join(directory, 'nowhere', 'admin-key'), false)).rejects.toThrow('ENOENT');
    expect((await listKeys(db, { limit: 10 }, null)).items).toEqual([]);
  });
});
