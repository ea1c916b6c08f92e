import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Observation } from '../../core/domain/observation.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts';
import type { Database } from '../client.ts';
import { countObservationsAfter, insertObservations, observationsAfter, observationsThrough } from './observations.ts';
import { insertTenant } from './tenants.ts';

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = database.connection.db;
});
afterAll(() => database.drop());

const observation = (requestId: string): Observation => ({
  requestId,
  acceptedAtMs: 1_700_000_000_123,
  gatewayId: 'gw',
  model: 'm',
  deployment: 'd',
  revision: 2,
  replicaId: 'r',
  tenant: 't',
  class: 'interactive',
  policy: 'p',
  outcome: 'ok',
  streamed: true,
  inputTokens: 12,
  outputTokens: null,
  maxTokens: null,
  predictedOutputP50: 10.5,
  predictedOutputP90: 20,
  predictedTtftMs: 3.25,
  snapshotVersion: 0,
  queueMs: 0,
  ttftMs: 12.5,
  tpotMs: null,
  e2eMs: 50,
  attained: true,
  features: 'AAEC/w==',
  featureKey: 'k1',
});

describe('observations', () => {
  it('are stored once, however often they are delivered', async () => {
    expect(await insertObservations(db, [observation('a'), observation('b')])).toBe(2);
    expect(await insertObservations(db, [observation('b'), observation('c')])).toBe(1);
    expect(await insertObservations(db, [])).toBe(0);
    const all = await observationsAfter(db, 0, 100);
    expect(all.map((o) => o.requestId)).toEqual(['a', 'b', 'c']);
  });

  it('read back as they were, page by page', async () => {
    const [first] = await observationsAfter(db, 0, 1);
    const { id, ...read } = first!;
    expect(read).toEqual(observation('a'));
    expect((await observationsAfter(db, id, 1))[0]?.requestId).toBe('b');
    const [second] = await observationsAfter(db, id, 1);
    expect(await observationsThrough(db, second!.id, 10)).toEqual([first, second]);
    expect(await observationsThrough(db, second!.id, 1)).toEqual([second]);
  });

  it('without features, as older gateways spool them, have none', async () => {
    const { features: _, featureKey: __, ...older } = observation('older');
    await insertObservations(db, [older, observation('newer')]);
    const read = (await observationsAfter(db, 0, 100)).slice(-2);
    expect(read.map((o) => [o.requestId, o.features, o.featureKey])).toEqual([
      ['older', null, null],
      ['newer', 'AAEC/w==', 'k1'],
    ]);
    expect(await countObservationsAfter(db, 0, 100)).toBe(5);
    expect(await countObservationsAfter(db, read[0]!.id, 100)).toBe(1);
    expect(await countObservationsAfter(db, 0, 3)).toBe(3);
  });

  it('are stored whatever a client asks for and an engine claims, beside those of everybody else', async () => {
    const absurd: Partial<Observation>[] = [
      { maxTokens: 2 ** 31 },
      { maxTokens: 1e308, outputTokens: 10 ** 15 },
      { inputTokens: -(10 ** 12), e2eMs: Number.POSITIVE_INFINITY, tpotMs: Number.NaN },
      { class: 'a\u0000b', model: 'half \ud800' },
    ];
    const batch = absurd.map((fields, i) => ({ ...observation(`absurd-${i}`), ...fields }));
    expect(await insertObservations(db, [observation('usual'), ...batch])).toBe(5);
    const [one, two, three, four] = (await observationsAfter(db, 0, 1000)).slice(-4);
    expect(one!.maxTokens).toBe(2 ** 31 - 1);
    expect([two!.maxTokens, two!.outputTokens]).toEqual([2 ** 31 - 1, 2 ** 31 - 1]);
    expect([three!.inputTokens, three!.e2eMs, three!.tpotMs]).toEqual([-(2 ** 31 - 1), null, null]);
    expect([four!.class, four!.model]).toEqual(['a\uFFFDb', 'half \uFFFD']);
  });

  it('become visible in the order of their ids, with several gateways at work', async () => {
    const batches = Array.from({ length: 8 }, (_, g) => Array.from({ length: 50 }, (_, i) => observation(`g${g}-${i}`)));
    let last = 0;
    const seen: number[] = [];
    const follow = async () => {
      const next = await observationsAfter(db, last, 1000);
      seen.push(...next.map((o) => o.id));
      last = next.at(-1)?.id ?? last;
    };
    const delivered = Promise.all(batches.map((b) => insertObservations(db, b)));
    for (let i = 0; i < 20; i++) await follow();
    await delivered;
    await follow();
    expect(seen).toHaveLength(410);
  });

  it('lose what their tenant does not allow any more when they arrive late', async () => {
    await db.transaction(async (tx) => {
      for (const features of ['full', 'lengths-only', 'off'] as const) await insertTenant(tx, { name: features, features });
    });
    const late = ['full', 'lengths-only', 'off'].map((tenant) => ({ ...observation(`late ${tenant}`), tenant }));
    const choices = { ...observation('late choices'), tenant: 'lengths-only', features: null, featureKey: 'off' };
    expect(await insertObservations(db, [...late, choices])).toBe(4);
    expect(
      (await observationsThrough(db, Number.MAX_SAFE_INTEGER, 4)).map(({ tenant, features, featureKey }) => [tenant, features, featureKey]),
    ).toEqual([
      ['full', 'AAEC/w==', 'k1'],
      ['lengths-only', null, null],
      ['off', null, 'off'],
      ['lengths-only', null, 'off'],
    ]);
  });
});
