import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../core/domain/access.ts';
import { createKey, type KeyRow, readKey, revokeKey } from '../../db/queries/keys.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { complete, type ErrorBody, until } from '../../test/support/gateway.ts';
import { type Gateway, startGateway } from '../server.ts';

let database: TestDatabase;
let spoolDir: string;
let gateway: Gateway;
const start = (address: string, apiKeys: string[]) =>
  startGateway({
    source: { kind: 'postgres', database: database.connection, spoolDir },
    address,
    port: 0,
    apiKeys,
    logger: pino({ level: 'fatal' }),
  });
beforeAll(async () => {
  database = await createTestDatabase();
  spoolDir = mkdtempSync(join(tmpdir(), 'uellm-gateway-keys-'));
  gateway = await start('127.0.0.1', ['admin']);
  await until(async () => (await fetch(`${gateway.url}/readyz`)).ok);
});
afterAll(async () => {
  await gateway.close();
  await database.drop();
  rmSync(spoolDir, { recursive: true, force: true });
});

const make = (role: Role, tenant: string | null = null): Promise<{ row: KeyRow; secret: string }> =>
  database.connection.db.transaction((tx) => createKey(tx, { name: null, role, tenant, expiresInSeconds: null }, 'test'));
const get = async (path: string, secret: string) =>
  (await fetch(gateway.url + path, { headers: { authorization: `Bearer ${secret}` } })).status;
/** What becomes of a request for a model that nobody serves: 404 is what those get who may ask. */
const send = async (secret: string) => {
  const response = await complete(gateway, { model: 'nothing' }, { headers: { authorization: `Bearer ${secret}` } });
  return [response.status, ((await response.json()) as ErrorBody).error.code];
};

describe('keys of the database', () => {
  it('are taken as soon as they are made, and no more once they are revoked', async () => {
    const { row, secret } = await make('operator');
    await until(async () => (await get('/v1/models', secret)) === 200);
    expect(await send(secret)).toEqual([404, 'model_not_found']);
    await database.connection.db.transaction((tx) => revokeKey(tx, row.id, null, 'test'));
    await until(async () => (await get('/v1/models', secret)) === 401);
    expect(await send('admin')).toEqual([404, 'model_not_found']);
  });

  it('are held to their roles and their tenants', async () => {
    const [viewer, theirs] = [await make('viewer'), await make('viewer', 'acme')];
    await until(async () => (await get('/v1/models', theirs.secret)) === 200);
    expect(await send(viewer.secret)).toEqual([403, 'not_allowed']);
    expect(await send(theirs.secret)).toEqual([404, 'model_not_found']);
    expect([await get('/uellm/stats', viewer.secret), await get('/uellm/stats', theirs.secret)]).toEqual([200, 403]);
  });

  it('are told of as used, once the gateway says so', async () => {
    const { row, secret } = await make('operator');
    await until(async () => (await get('/v1/models', secret)) === 200);
    await gateway.close();
    expect((await readKey(database.connection.db, row.id, null)).lastUsedAt).not.toBeNull();
    gateway = await start('127.0.0.1', ['admin']);
  });

  it('are enough to listen beyond this machine, where one of them is an admin’s', async () => {
    await expect(start('0.0.0.0', [])).rejects.toThrow(/uellm keys create --offline --role admin/);
    const { secret } = await make('admin');
    const wide = await start('0.0.0.0', []);
    const at = async (headers: Record<string, string>) =>
      (await fetch(`http://127.0.0.1:${new URL(wide.url).port}/v1/models`, { headers })).status;
    try {
      await until(async () => (await at({ authorization: `Bearer ${secret}` })) === 200);
      expect(await at({})).toBe(401);
    } finally {
      await wide.close();
    }
  });
});
