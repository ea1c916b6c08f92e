import { connect, createServer, type Server, type Socket } from 'node:net';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { predictOutput } from '../core/profiler/predict.ts';
import { connectDatabase } from '../db/client.ts';
import { insertObservations } from '../db/queries/observations.ts';
import { latestSnapshot, listSnapshotRecords, publishSnapshot, rollbackSnapshot } from '../db/queries/profiler.ts';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { anObservation } from '../test/support/observations.ts';
import { createMetrics } from './metrics.ts';
import { startTrainer, type Trainer } from './trainer.ts';

const logger = pino({ level: 'silent' });
const PATIENCE = { timeout: 10_000, interval: 50 };

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

  const train = (connection = database.connection): Trainer => {
    const trainer = startTrainer({ database: connection, logger, metrics: createMetrics() });
    trainers.push(trainer);
    return trainer;
  };
  const observe = (count: number, prefix: string, outputTokens: number) =>
    insertObservations(
      database.connection.db,
      Array.from({ length: count }, (_, i) => anObservation(`${prefix}${i}`, { outputTokens })),
    );
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
    expect(trainer.snapshot()).toEqual({ ...good, version: published.version, trainedThroughId: 360 });
    await observe(60, 'after', 100);
    await reaches(trainer, 420);
    expect(trainer.snapshot().shared.observations).toBe(120);
    const { items } = await listSnapshotRecords(db, { limit: 2 });
    expect(items.map(({ reason, basedOn }) => [reason, basedOn])).toEqual([
      ['learned', published.version],
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
      await vi.waitFor(() => expect(trainer.databaseIsUp()).toBe(false), PATIENCE);
      expect(trainer.trains()).toBe(false);
      expect(predictOutput(trainer.snapshot(), anObservation('x')).p50).toBeGreaterThan(400);
      await observe(60, 'b', 700);
      link.restore();
      await reaches(trainer, 120);
      expect(trainer.databaseIsUp()).toBe(true);
      await trainer.close();
    } finally {
      await connection.close();
      await link.close();
    }
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

/** A way to the database that can be cut: it refuses, and drops what is open. */
async function cuttableLink(databaseUrl: string): Promise<{ url: string; cut(): void; restore(): void; close(): Promise<void> }> {
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
    restore() {
      whole = true;
    },
    async close() {
      dropAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
