import { connect, createServer, type Server, type Socket } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { predictOutput } from '../core/profiler/predict.ts';
import type { ProfilerSnapshot } from '../core/profiler/snapshot.ts';
import { tenantBucket } from '../core/profiler/tenants.ts';
import { packSketch } from '../core/profiler/text/pack.ts';
import { createSketcher, type TextSketch } from '../core/profiler/text/sketch.ts';
import { connectDatabase } from '../db/client.ts';
import { deleteObservationsOf } from '../db/queries/observation-deletion.ts';
import { insertObservations, OBSERVATIONS_CHANNEL } from '../db/queries/observations.ts';
import { latestSnapshot, listSnapshotRecords, publishSnapshot, rollbackSnapshot } from '../db/queries/profiler.ts';
import { createTestDatabase, execute, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { createMetrics, type ProfilerMetrics } from './metrics.ts';
import { startTrainer, type Trainer } from './trainer.ts';

const logger = pino({ level: 'silent' });
const PATIENCE = { timeout: 10_000, interval: 50 };
const MODEL = 'llama-3.1-8b';

/** Words that no prior knows: only from these answers can anybody know how long theirs are. */
const ASKED = { Zorble: 60, Frandle: 600, Wimble: 60, Quorle: 600 };
type Word = keyof typeof ASKED;
const NOUNS = ['river', 'engine', 'garden', 'comet', 'ledger', 'harbour', 'violin'];
const sketchOf = (word: string, noun: string, key = 'key-1'): TextSketch =>
  createSketcher({ id: key, k0: 3, k1: 4 }).sketch({
    prompt: `${word} the ${noun}`,
    system: '',
    turn: 0,
    earlierAnswerCharacters: 0,
    temperature: null,
    tools: false,
  });

/** So many answers with sketches, the words in turn, each answer about as long as its word asks for. */
const worded = (count: number, prefix: string, words: readonly Word[], key = 'key-1') =>
  Array.from({ length: count }, (_, i) => {
    const word = words[i % words.length]!;
    return anObservation(`${prefix}${i}`, {
      outputTokens: Math.round(ASKED[word] * (0.9 + 0.05 * (i % 5))),
      features: Buffer.from(packSketch(sketchOf(word, NOUNS[i % NOUNS.length]!, key))).toString('base64'),
      featureKey: key,
    });
  });

/** Predicted median of a prompt with a noun that was never there. */
const predictedFor = (snapshot: ProfilerSnapshot, word: Word, key = 'key-1'): number =>
  predictOutput(snapshot, { ...anObservation('x'), text: sketchOf(word, 'lighthouse', key) }).p50;

describe('the trainer', () => {
  let database: TestDatabase;
  let trainers: Trainer[];
  beforeEach(async () => {
    database = await createTestDatabase();
    trainers = [];
  });
  afterEach(async () => {
    await Promise.all(trainers.map((t) => t.close()));
    await database.drop();
  });

  const train = (connection = database.connection, metrics: ProfilerMetrics = createMetrics()): Trainer => {
    const trainer = startTrainer({ database: connection, logger, metrics });
    trainers.push(trainer);
    return trainer;
  };
  const answers = (count: number, prefix: string, outputTokens: number) =>
    Array.from({ length: count }, (_, i) => anObservation(`${prefix}${i}`, { outputTokens }));
  const observe = (count: number, prefix: string, outputTokens: number) =>
    insertObservations(database.connection.db, answers(count, prefix, outputTokens));
  const refusedOf = async ({ refused }: ProfilerMetrics) =>
    Object.fromEntries((await refused.get()).values.map(({ labels, value }) => [labels.result, value]));
  const reaches = (trainer: Trainer, trainedThroughId: number) =>
    vi.waitFor(() => expect(trainer.snapshot().trainedThroughId).toBe(trainedThroughId), PATIENCE);

  it('catches up with a backlog of many batches', async () => {
    await observe(1000, 'a', 300);
    await observe(300, 'b', 300);
    const trainer = train();
    await reaches(trainer, 1300);
    expect((await latestSnapshot(database.connection.db))?.trainedThroughId).toBe(1300);
    expect(trainer.snapshot().models['llama-3.1-8b']!.observations).toBe(1300);
  });

  it('passes over what it is too far behind to learn from', async () => {
    await observe(600, 'old', 2000);
    await observe(400, 'new', 100);
    const trainer = startTrainer({ database: database.connection, logger, metrics: createMetrics(), mostBehind: 400 });
    trainers.push(trainer);
    await reaches(trainer, 1000);
    expect(trainer.snapshot().models[MODEL]?.observations).toBe(400);
  });

  it('goes on from a snapshot that somebody went back to, and does not learn again what spoiled the other', async () => {
    const { db } = database.connection;
    const trainer = train();
    await observe(60, 'good', 100);
    await reaches(trainer, 60);
    const good = trainer.snapshot();
    await observe(300, 'spoiled', 4000);
    await reaches(trainer, 360);
    const { published } = await rollbackSnapshot(db, good.version);
    // Without another observation: the rollback itself is what it hears of.
    await vi.waitFor(() => expect(trainer.snapshot().version).toBe(published.version), PATIENCE);
    const forgotten = [{ after: 60, through: 360 }];
    expect(trainer.snapshot()).toEqual({ ...good, version: published.version, trainedThroughId: 360, forgotten });
    await observe(60, 'after', 100);
    await reaches(trainer, 420);
    expect(trainer.snapshot().shared.observations).toBe(120);
    const { items } = await listSnapshotRecords(db, { limit: 2 });
    expect(items.map(({ reason, basedOn }) => [reason, basedOn])).toEqual([
      [expect.stringMatching(/^learned/), published.version],
      [`rolled back to version ${good.version}`, good.version],
    ]);
  });

  it('resumes from the last snapshot, and learns nothing twice', async () => {
    const first = train();
    await observe(60, 'a', 400);
    await reaches(first, 60);
    await first.close();
    await observe(60, 'b', 400);
    const second = train();
    await reaches(second, 120);
    expect(second.snapshot().shared.observations).toBe(120);
    expect(second.snapshot().version).toBeGreaterThan(first.snapshot().version);
  });

  it('learns what words ask for, in the key that they came in', async () => {
    const trainer = train();
    await insertObservations(database.connection.db, worded(120, 'a', ['Zorble', 'Frandle']));
    await reaches(trainer, 120);
    expect(trainer.snapshot().models[MODEL]!.text).toMatchObject({ keyId: 'key-1', words: expect.stringMatching(/^[A-Za-z0-9+/]{1000}/) });
    expect(predictedFor(trainer.snapshot(), 'Frandle') / predictedFor(trainer.snapshot(), 'Zorble')).toBeGreaterThan(3);
    // By other hashes the same words are strangers.
    expect(predictedFor(trainer.snapshot(), 'Frandle', 'key-2')).toBeCloseTo(predictedFor(trainer.snapshot(), 'Zorble', 'key-2'), -2);
    await insertObservations(database.connection.db, worded(60, 'b', ['Zorble', 'Frandle'], 'key-2'));
    await reaches(trainer, 180);
    expect(trainer.snapshot().models[MODEL]!.text!.keyId).toBe('key-2');
  });

  it('does not read back the words of answers that a rollback took back', async () => {
    const { db } = database.connection;
    const first = train();
    await insertObservations(db, worded(120, 'a', ['Zorble', 'Frandle']));
    await reaches(first, 120);
    const good = first.snapshot();
    // Somebody's answers are the other way round for a while.
    const [short, long] = [ASKED.Zorble, ASKED.Frandle];
    const turned = worded(200, 'turned', ['Zorble', 'Frandle']).map((o) => ({
      ...o,
      outputTokens: Math.round((short * long) / o.outputTokens!),
    }));
    await insertObservations(db, turned);
    await reaches(first, 320);
    expect(predictedFor(first.snapshot(), 'Frandle') / predictedFor(first.snapshot(), 'Zorble')).toBeLessThan(2);
    await rollbackSnapshot(db, good.version);
    await insertObservations(db, worded(60, 'b', ['Wimble', 'Quorle']));
    await reaches(first, 380);
    const ratio = (snapshot: ProfilerSnapshot) => predictedFor(snapshot, 'Frandle') / predictedFor(snapshot, 'Zorble');
    expect(ratio(first.snapshot())).toBeGreaterThan(3);
    await first.close();
    const second = train();
    await insertObservations(db, worded(60, 'c', ['Wimble', 'Quorle']));
    await reaches(second, 440);
    expect(ratio(second.snapshot())).toBeGreaterThan(3);
  });

  it('keeps nothing of observations that are deleted: their words are not fitted to again', async () => {
    const { db } = database.connection;
    const trainer = train();
    await insertObservations(
      db,
      worded(120, 'a', ['Zorble', 'Frandle']).map((o) => ({ ...o, tenant: 'leaves' })),
    );
    await reaches(trainer, 120);
    const ratio = () => predictedFor(trainer.snapshot(), 'Frandle') / predictedFor(trainer.snapshot(), 'Zorble');
    expect(ratio()).toBeGreaterThan(3);
    expect(await deleteObservationsOf(db, 'leaves')).toBe(120);
    await insertObservations(db, worded(60, 'b', ['Wimble', 'Quorle']));
    await reaches(trainer, 180);
    expect(ratio()).toBeLessThan(1.5);
  });

  it('knows nothing more of a tenant whose observations are deleted, though it had not published it yet', async () => {
    const { db } = database.connection;
    const metrics = createMetrics();
    const trainer = train(database.connection, metrics);
    await observe(60, 'a', 100);
    await reaches(trainer, 60);
    // Fewer than are published at once.
    await insertObservations(
      db,
      answers(20, 'b', 5000).map((o) => ({ ...o, tenant: 'leaves' })),
    );
    const learned = 'uellm_profiler_observations_total{result="learned"} 80';
    await vi.waitFor(async () => expect(await metrics.registry.metrics()).toContain(learned), PATIENCE);
    await deleteObservationsOf(db, 'leaves');
    await observe(60, 'c', 100);
    await reaches(trainer, 140);
    const { shared, models } = trainer.snapshot();
    for (const { tenants } of [shared, ...Object.values(models)]) expect(tenants.observations[tenantBucket('leaves')]).toBe(0);
  });

  it('reads its window of answers back after a restart: old words are kept while new ones are learned', async () => {
    const { db } = database.connection;
    const first = train();
    await insertObservations(db, worded(200, 'a', ['Zorble', 'Frandle']));
    await reaches(first, 200);
    const before = first.snapshot();
    await first.close();
    const second = train();
    await vi.waitFor(() => expect(second.snapshot()).toEqual(before), PATIENCE);
    await insertObservations(db, worded(80, 'b', ['Wimble', 'Quorle']));
    await reaches(second, 280);
    const after = second.snapshot();
    expect(predictedFor(before, 'Quorle') / predictedFor(before, 'Wimble')).toBeLessThan(1.5);
    expect(predictedFor(after, 'Quorle') / predictedFor(after, 'Wimble')).toBeGreaterThan(3);
    // None of the 80 has either word: a fit to those alone would have forgotten both.
    expect(predictedFor(after, 'Frandle') / predictedFor(after, 'Zorble')).toBeGreaterThan(3);
  });

  it('learns nothing from a tenant that has features off, and reads no words of it', async () => {
    const trainer = train();
    await observe(60, 'a', 100);
    await reaches(trainer, 60);
    // No gateway sends words of such a tenant; whoever does is not listened to.
    const hidden = worded(100, 'hidden', ['Quorle'], 'off');
    await insertObservations(database.connection.db, [...worded(60, 'b', ['Zorble', 'Frandle']), ...hidden]);
    await reaches(trainer, 220);
    expect(trainer.snapshot().shared.observations).toBe(120);
    expect(trainer.snapshot().models[MODEL]!.text!.keyId).toBe('key-1');
  });

  it('is one of two at a time; the other follows, and takes over', async () => {
    const one = train();
    await vi.waitFor(() => expect(one.trains()).toBe(true), PATIENCE);
    const other = train();
    await observe(60, 'a', 200);
    await Promise.all([reaches(one, 60), reaches(other, 60)]);
    expect(other.trains()).toBe(false);
    expect(other.snapshot()).toEqual(one.snapshot());
    await one.close();
    await vi.waitFor(() => expect(other.trains()).toBe(true), PATIENCE);
    await observe(60, 'b', 200);
    await reaches(other, 120);
    expect(other.snapshot().shared.observations).toBe(120);
  });

  it('starts again from the snapshot of a trainer that got ahead of it', async () => {
    const trainer = train();
    await observe(60, 'a', 200);
    await reaches(trainer, 60);
    const ahead = { ...trainer.snapshot(), version: trainer.snapshot().version + 1, trainedThroughId: 59 };
    await publishSnapshot(database.connection.db, ahead, {});
    await observe(60, 'b', 200);
    await reaches(trainer, 120);
    expect(trainer.snapshot().version).toBe(ahead.version + 1);
    // From 59 on: observation 60 came again on top of the other's snapshot, which knew it.
    expect(trainer.snapshot().shared.observations).toBe(121);
  });

  it('survives Postgres going away, predicts meanwhile, and goes on when it is back', async () => {
    const link = await cuttableLink(database.url);
    const connection = connectDatabase(link.url);
    try {
      const trainer = train(connection);
      await observe(60, 'a', 700);
      await reaches(trainer, 60);
      link.cut();
      await vi.waitFor(() => expect(trainer.trouble()).toMatchObject({ isOutage: true }), PATIENCE);
      expect(trainer.trains()).toBe(false);
      expect(predictOutput(trainer.snapshot(), anObservation('x')).p50).toBeGreaterThan(400);
      await observe(60, 'b', 700);
      link.restore();
      await reaches(trainer, 120);
      expect(trainer.trouble()).toBeNull();
      await trainer.close();
    } finally {
      await connection.close();
      await link.close();
    }
  });

  it('notices a Postgres that hangs, though no connection breaks', async () => {
    const link = await cuttableLink(database.url);
    const connection = connectDatabase(link.url);
    try {
      const trainer = startTrainer({ database: connection, logger, metrics: createMetrics(), silentMs: 300 });
      trainers.push(trainer);
      await observe(60, 'a', 100);
      await reaches(trainer, 60);
      link.hang();
      await vi.waitFor(() => expect(trainer.trouble()).toMatchObject({ isOutage: true }), PATIENCE);
      link.cut();
      link.restore();
      await vi.waitFor(() => expect(trainer.trouble()).toBeNull(), PATIENCE);
      await trainer.close();
    } finally {
      await connection.close();
      await link.close();
    }
  });

  it('says what keeps it from training where Postgres answers, and goes on when that is mended', async () => {
    const trainer = train();
    await observe(60, 'a', 100);
    await reaches(trainer, 60);
    await execute(database.url, 'alter table observations rename column tenant to renter');
    await execute(database.url, `notify ${OBSERVATIONS_CHANNEL}`);
    await vi.waitFor(() => expect(trainer.trouble()).not.toBeNull(), PATIENCE);
    expect(trainer.trouble()).toEqual({
      isOutage: false,
      reason: expect.stringMatching(/^training fails \(column "?[\w.]*tenant"? does not exist\)$/),
    });
    expect(trainer.trains()).toBe(false);
    await execute(database.url, 'alter table observations rename column renter to tenant');
    await vi.waitFor(() => expect(trainer.trouble()).toBeNull(), PATIENCE);
    await observe(60, 'b', 100);
    await reaches(trainer, 120);
  });

  /** A trainer with a good snapshot in force. */
  const trained = async () => {
    const metrics = createMetrics();
    const trainer = train(database.connection, metrics);
    await observe(60, 'good', 100);
    await reaches(trainer, 60);
    return { metrics, trainer, champion: trainer.snapshot() };
  };

  it('keeps the snapshot in force while what was learned since predicts worse', async () => {
    const { db } = database.connection;
    const { metrics, trainer, champion } = await trained();
    // One delivery is read as one: absurd answers, and then those that show how absurd.
    await insertObservations(db, [...answers(32, 'absurd', 5000), ...answers(68, 'usual', 100)]);
    await vi.waitFor(async () => expect(await refusedOf(metrics)).toEqual({ 'keep-champion': 1 }), PATIENCE);
    expect(trainer.snapshot()).toEqual(champion);
    expect((await latestSnapshot(db))!.version).toBe(champion.version);
  });

  it('drops what it learned where that is clearly worse, and goes on from the snapshot in force', async () => {
    const { db } = database.connection;
    const { metrics, trainer, champion } = await trained();
    await insertObservations(db, [...answers(32, 'absurd', 5000), ...answers(268, 'usual', 100)]);
    await vi.waitFor(async () => expect(await refusedOf(metrics)).toEqual({ 'start-over': 1 }), PATIENCE);
    expect(trainer.snapshot()).toEqual(champion);
    await observe(60, 'after', 100);
    await reaches(trainer, 420);
    // Of the 300 nothing is left; they are not learned from again either.
    expect(trainer.snapshot().shared.observations).toBe(120);
    expect(trainer.snapshot().version).toBe(champion.version + 1);
  });

  it('recalibrates at once, and goes on training from there', async () => {
    const { db } = database.connection;
    const trainer = train();
    await observe(60, 'a', 100);
    await reaches(trainer, 60);
    const before = predictOutput(trainer.snapshot(), anObservation('x')).p50;
    const version = await trainer.recalibrate({ model: MODEL, class: null, factor: 3 }, '7');
    await vi.waitFor(() => expect(trainer.snapshot().version).toBe(version), PATIENCE);
    expect(predictOutput(trainer.snapshot(), anObservation('x')).p50 / before).toBeCloseTo(3);
    await observe(60, 'b', 300);
    await reaches(trainer, 120);
    expect(trainer.snapshot().shared.observations).toBe(120);
    expect(predictOutput(trainer.snapshot(), anObservation('x')).p50 / before).toBeGreaterThan(2.5);
    // The same correction again, though others were published since.
    expect(await trainer.recalibrate({ model: MODEL, class: null, factor: 3 }, '7')).toBe(version);
    const { items } = await listSnapshotRecords(db, { limit: 10 });
    expect(items.map(({ reason }) => reason).filter((reason) => /correction 7$/.test(reason ?? ''))).toHaveLength(1);
  });

  it('publishes a correction once, however many ask for it at the same time', async () => {
    const trainer = train();
    await observe(60, 'a', 100);
    await reaches(trainer, 60);
    const versions = await Promise.all(
      Array.from({ length: 4 }, () => trainer.recalibrate({ model: MODEL, class: 'interactive', factor: 0.5 }, '8')),
    );
    expect(new Set(versions).size).toBe(1);
    expect((await latestSnapshot(database.connection.db))!.version).toBe(versions[0]);
  });

  it('closes while Postgres is away', async () => {
    const link = await cuttableLink(database.url);
    link.cut();
    const connection = connectDatabase(link.url);
    const trainer = startTrainer({ database: connection, logger, metrics: createMetrics() });
    await trainer.close();
    await connection.close();
    await link.close();
  });
});

/** A way to the database that can be cut: it refuses, and drops what is open. Hanging, it lets nothing through and drops nothing. */
async function cuttableLink(
  databaseUrl: string,
): Promise<{ url: string; cut(): void; hang(): void; restore(): void; close(): Promise<void> }> {
  const target = new URL(databaseUrl);
  const open = new Set<Socket>();
  let whole = true;
  const server: Server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          open.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    if (!whole) client.destroy();
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as { port: number }).port);
  const dropAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    url: url.href,
    cut() {
      whole = false;
      dropAll();
    },
    hang() {
      for (const socket of open) socket.unpipe();
    },
    restore() {
      whole = true;
    },
    async close() {
      dropAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
