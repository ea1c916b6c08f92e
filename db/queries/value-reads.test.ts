import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hostSpecSchema } from '../../core/domain/fleet.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import { aReplica } from '../../test/support/rows.ts';
import { audit, hosts } from '../schema/index.ts';
import { recordCatalogPrices } from './catalog-prices.ts';
import { heldBetween, hostsBetween } from './value-reads.ts';

const HOUR_MS = 3_600_000;
const HOUR = 3600;
const start = Date.UTC(2026, 0, 1);
const at = (hour: number) => new Date(start + hour * HOUR_MS);
const period = { from: at(0), until: at(10) };
const specOf = (name: string, usdPerHour?: number) =>
  hostSpecSchema.parse({ name, accelerators: [{ kind: 'L40S', count: 2, ...(usdPerHour ? { usdPerHour } : {}) }] });

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database.connection;
  const change = (name: string, hour: number, action: string, after?: object) =>
    db.insert(audit).values({ actor: 'test', kind: 'hosts', name, action, at: at(hour), ...(after ? { after } : {}) });
  const replica = (id: string, host: string, from: number, until?: number) =>
    aReplica(db, { id, host, acceleratorKind: 'L40S', createdAt: at(from), ...(until === undefined ? {} : { endedAt: at(until) }) });
  // Declared before the period, dearer from its fourth hour on; a drain is no declaration.
  await change('h1', -30, 'create', specOf('h1'));
  await change('h1', 2, 'drain', { state: 'draining' });
  await change('h1', 4, 'replace', specOf('h1', 3));
  await replica('r1', 'h1', -20);
  // Gone in the sixth hour.
  await change('h2', 1, 'create', specOf('h2', 5));
  await change('h2', 6, 'delete');
  await replica('r2', 'h2', 2, 5);
  // There before the trail began: its first declaration on it holds for the time before.
  await change('h3', 8, 'replace', specOf('h3', 7));
  await replica('r3', 'h3', 7, 9);
  // On no trail at all, and on no record at all.
  await db.insert(hosts).values({ name: 'h4', spec: specOf('h4', 9), createdAt: at(3) });
  await replica('r4', 'h4', 3, 4);
  await replica('r5', 'h5', 3, 4);
});
afterAll(() => database.drop());

it('tells what held while accelerators were held', async () => {
  const held = await heldBetween(database.connection.db, period);
  expect(held.map((h) => [h.host, h.declaredAtMs, h.acceleratorSeconds / HOUR])).toEqual([
    ['h1', at(-30).getTime(), 4],
    ['h1', at(4).getTime(), 6],
    ['h2', at(1).getTime(), 3],
    ['h3', at(8).getTime(), 2],
    ['h4', at(3).getTime(), 1],
    ['h5', null, 1],
  ]);
  expect(held[0]).toMatchObject({ deployment: 'chat', acceleratorKind: 'L40S', simulated: true, seconds: 10 * HOUR });
});

it('tells for how long each host was what', async () => {
  const found = await hostsBetween(database.connection.db, period);
  expect(found.map((h) => [h.host, h.declaredAtMs, h.accelerators[0]!.usdPerHour, h.seconds / HOUR])).toEqual([
    ['h1', at(-30).getTime(), undefined, 4],
    ['h1', at(4).getTime(), 3, 6],
    ['h2', at(1).getTime(), 5, 5],
    ['h3', at(8).getTime(), 7, 2],
    ['h4', at(3).getTime(), 9, 7],
  ]);
  expect((await hostsBetween(database.connection.db, { from: at(7), until: at(9) })).map((h) => h.host)).toEqual(['h1', 'h3', 'h4']);
});

it('tells what the catalog said meanwhile', async () => {
  const { db } = database.connection;
  await recordCatalogPrices(db, { L40S: 1 });
  await recordCatalogPrices(db, { L40S: 1 });
  await recordCatalogPrices(db, { L40S: 2 });
  const ids = await db.select({ id: audit.id }).from(audit).where(eq(audit.kind, 'accelerators')).orderBy(audit.id);
  expect(ids).toHaveLength(2);
  // The second catalog held from the fifth hour on, the first one before it, as far back as anything is known.
  for (const [i, { id }] of ids.entries())
    await db
      .update(audit)
      .set({ at: at(3 + 2 * i) })
      .where(eq(audit.id, id));
  const of = (host: string) => hostsBetween(db, period).then((all) => all.filter((h) => h.host === host));
  expect((await of('h1')).map((h) => [h.accelerators[0]!.usdPerHour, h.catalog, h.seconds / HOUR])).toEqual([
    [undefined, { L40S: 1 }, 4],
    [3, { L40S: 1 }, 1],
    [3, { L40S: 2 }, 5],
  ]);
  expect((await of('h3')).map((h) => [h.catalog, h.seconds / HOUR])).toEqual([[{ L40S: 2 }, 2]]);
  const held = (await heldBetween(db, period)).filter(({ host }) => host === 'h1' || host === 'h3');
  const hosts = await hostsBetween(db, period);
  expect(held.map((h) => [h.host, h.acceleratorSeconds / HOUR])).toEqual([
    ['h1', 4],
    ['h1', 1],
    ['h1', 5],
    ['h3', 2],
  ]);
  for (const h of held) expect(hosts.filter((t) => t.host === h.host && t.declaredAtMs === h.declaredAtMs)).toHaveLength(1);
});
