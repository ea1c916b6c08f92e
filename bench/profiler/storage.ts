/** What observations cost Postgres: written, learned from, and dropped by the day. On a Postgres of its own that writes to disk as in production. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { prepareEmbeddedPostgres } from '../../bin/embedded/postgres.ts';
import { endProcess, launch, waitUntilReady } from '../../bin/processes/launch.ts';
import type { Observation } from '../../core/domain/observation.ts';
import { packSketch } from '../../core/profiler/text/pack.ts';
import { DENSE_FEATURES, NUMBERS, WORD_BUCKETS } from '../../core/profiler/text/sketch.ts';
import { connectDatabase, type Database, type DatabaseConnection } from '../../db/client.ts';
import { migrateDatabase } from '../../db/migrate.ts';
import { deleteObservationsOf } from '../../db/queries/observation-deletion.ts';
import { createPartitions, dropPartitions, partitionedDays } from '../../db/queries/observation-partitions.ts';
import { idBefore, insertObservations, observationsAfter, observationsThrough } from '../../db/queries/observations.ts';
import { MOST_BEHIND } from '../../profiler/learner.ts';
import { createMetrics } from '../../profiler/metrics.ts';
import { startTrainer } from '../../profiler/trainer.ts';

export interface StorageResult {
  rows: number;
  /** Gateways deliver 500 at a time; the first half of the rows by one of them, the second by four at once. */
  insertedPerSecondByOne: number;
  insertedPerSecondByFour: number;
  bytesPerRow: number;
  /** Following from the first on, 500 at a time, as the profiler does that catches up. */
  followedPerSecond: number;
  /** A profiler that knows nothing, from its start until it has learned from the newest rows: with so many in the table. */
  training: TrainingRound[];
  /** The newest rows at once, as the profiler does that starts. */
  windowRows: number;
  windowMs: number;
  /** One day of rows out of the default partition into a partition of its own. */
  movedRows: number;
  moveMs: number;
  droppedRows: number;
  dropMs: number;
  /** Of a tenant that has a tenth of all rows. */
  deletedRows: number;
  deleteMs: number;
  /** The most that this process held during all of it. */
  peakRssMiB: number;
}

export interface TrainingRound {
  rows: number;
  /** Older ones are passed over. */
  trainedRows: number;
  /** To read those alone, as the profiler does. */
  readSeconds: number;
  /** Of this process, all of it: a busy machine makes the clock's longer. */
  cpuSeconds: number;
  seconds: number;
  snapshotsPublished: number;
  /** The most that this process held meanwhile beyond what it held before. */
  memoryMiB: number;
}

const BATCH = 500;
/** Tables to train on, beside the whole. */
const TRAINING_ROWS = [10_000, 100_000];
const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(2026, 0, 1);
const DAYS = 10;
const WINDOW_ROWS = 50_000;
const TENANTS = 10;
/** Words of a prompt, as many as a request of middling length has. */
const BUCKETS = 48;

/** @param rows so many observations, over ten days */
export async function measureStorage(rows: number): Promise<StorageResult> {
  return withDatabase(async (database) => {
    const { db } = database;
    const memory = trackMemory();
    try {
      // All days but the last: its rows go to the default partition.
      await createPartitions(db, FIRST_DAY, DAYS - 2, { days: 1 });
      const half = Math.ceil(rows / 2 / BATCH) * BATCH;
      const training: TrainingRound[] = [];
      let byOneSeconds = 0;
      let written = 0;
      for (const to of [...TRAINING_ROWS.filter((count) => count < half), half]) {
        byOneSeconds += (await timed(() => write(db, written, to, 1, rows))).seconds;
        written = to;
        if (to < half) training.push(await trainOn(database, to));
      }
      const byFour = await timed(() => write(db, half, rows, 4, rows));
      await db.execute(sql`vacuum analyze observations`);
      const bytes = await tableBytes(db);
      const follow = await timed(() => followAll(db, 0));
      training.push(await trainOn(database, rows));
      const window = await timed(() => observationsThrough(db, rows * 2, WINDOW_ROWS));
      const movedRows = await countIn(db, sql`observations_default`);
      const now = FIRST_DAY + (DAYS - 1) * DAY_MS;
      const move = await timed(() => createPartitions(db, now, 0, { days: 1 }));
      const before = await countIn(db, sql`observations`);
      const [firstDay] = await partitionedDays(db);
      const drop = await timed(() => dropPartitions(db, firstDay! + 2 * DAY_MS, { days: 1 }));
      const droppedRows = before - (await countIn(db, sql`observations`));
      const deletion = await timed(() => deleteObservationsOf(db, 'tenant-0'));
      return {
        rows,
        insertedPerSecondByOne: half / byOneSeconds,
        insertedPerSecondByFour: (rows - half) / byFour.seconds,
        bytesPerRow: bytes / rows,
        followedPerSecond: follow.value / follow.seconds,
        training,
        windowRows: window.value.length,
        windowMs: window.seconds * 1000,
        movedRows,
        moveMs: move.seconds * 1000,
        droppedRows,
        dropMs: drop.seconds * 1000,
        deletedRows: deletion.value,
        deleteMs: deletion.seconds * 1000,
        peakRssMiB: memory.peakMiB(),
      };
    } finally {
      memory.stop();
    }
  });
}

/** Rows `from` to `to` of `all`, by several writers that take batches in turn. */
async function write(db: Database, from: number, to: number, writers: number, all: number): Promise<void> {
  let next = from;
  const writer = async () => {
    while (next < to) {
      const first = next;
      next = Math.min(to, next + BATCH);
      await insertObservations(
        db,
        Array.from({ length: next - first }, (_, i) => observation(first + i, all)),
      );
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
}

function observation(index: number, all: number): Observation {
  return {
    requestId: `chatcmpl-${index.toString(16).padStart(24, '0')}`,
    acceptedAtMs: FIRST_DAY + Math.floor((index / all) * DAYS * DAY_MS),
    gatewayId: 'gateway-1',
    model: `model-${index % 4}`,
    deployment: `model-${index % 4}`,
    revision: 3,
    replicaId: `model-${index % 4}-r3-a`,
    tenant: `tenant-${index % TENANTS}`,
    class: 'interactive',
    policy: 'chat-interactive',
    outcome: 'ok',
    streamed: true,
    inputTokens: 100 + (index % 1900),
    outputTokens: 50 + ((index * 7) % 400),
    maxTokens: 1024,
    predictedOutputP50: 180.5,
    predictedOutputP90: 420.25,
    predictedTtftMs: 210.5,
    snapshotVersion: 12,
    queueMs: 1.25,
    ttftMs: 180.125,
    tpotMs: 22.5,
    e2eMs: 4200.75,
    attained: true,
    features: featuresOf(index),
    featureKey: 'k1',
  };
}

/** Like those of prompts that share half of their words. */
function featuresOf(index: number): string {
  const dense = Float32Array.from({ length: DENSE_FEATURES }, (_, i) =>
    i < NUMBERS ? ((index * (i + 3)) % 17) / 17 : (index >> (i % 20)) & 1,
  );
  const bucket = (i: number) => (i < BUCKETS / 2 ? i * 61 : (index * 7919 + i * 104_729) % WORD_BUCKETS);
  const buckets = Uint16Array.from({ length: BUCKETS }, (_, i) => bucket(i)).sort();
  return Buffer.from(packSketch({ keyId: 'k1', dense, buckets })).toString('base64');
}

/** A profiler that knows nothing learns from a table of so many rows, and publishes what proves better. */
async function trainOn(database: DatabaseConnection, rows: number): Promise<TrainingRound> {
  await database.db.execute(sql`truncate profiler_snapshots`);
  const trainedRows = Math.min(rows, MOST_BEHIND);
  const reading = await timed(async () => followAll(database.db, await idBefore(database.db, MOST_BEHIND)));
  const memory = trackMemory();
  const before = memory.peakMiB();
  const cpu = process.cpuUsage();
  const metrics = createMetrics();
  const trainer = startTrainer({ database, logger: pino({ level: 'silent' }), metrics });
  try {
    const { seconds } = await timed(async () => {
      while ((await readSoFar(metrics)) < trainedRows) await delay(100);
    });
    const { user, system } = process.cpuUsage(cpu);
    const cpuSeconds = (user + system) / 1e6;
    return {
      ...{ rows, trainedRows, readSeconds: reading.seconds, cpuSeconds, seconds },
      ...{ snapshotsPublished: trainer.snapshot().version, memoryMiB: memory.peakMiB() - before },
    };
  } finally {
    memory.stop();
    await trainer.close();
  }
}

async function readSoFar({ registry }: ReturnType<typeof createMetrics>): Promise<number> {
  const { values } = await registry.getSingleMetric('uellm_profiler_observations_total')!.get();
  return values.reduce((sum, { value }) => sum + value, 0);
}

async function followAll(db: Database, from: number): Promise<number> {
  let after = from;
  for (let seen = 0; ; ) {
    const batch = await observationsAfter(db, after, BATCH);
    if (batch.length === 0) return seen;
    seen += batch.length;
    after = batch.at(-1)!.id;
  }
}

async function countIn(db: Database, table: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await db.execute<{ n: number }>(sql`select count(*)::int as n from ${table}`);
  return rows[0]!.n;
}

async function tableBytes(db: Database): Promise<number> {
  const { rows } = await db.execute<{ bytes: number }>(
    sql`select sum(pg_total_relation_size(inhrelid))::float8 as bytes from pg_inherits where inhparent = 'observations'::regclass`,
  );
  return rows[0]!.bytes;
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; seconds: number }> {
  const start = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - start) / 1000 };
}

function trackMemory() {
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 50);
  return {
    peakMiB() {
      look();
      return peak / 2 ** 20;
    },
    stop: () => clearInterval(timer),
  };
}

/** A migrated database on a server of its own, which is gone afterwards. */
async function withDatabase<T>(work: (database: DatabaseConnection) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'uellm-storage-'));
  chmodSync(folder, 0o755); // where we are root, Postgres runs as somebody else
  const postgres = await prepareEmbeddedPostgres({ dataDir: folder, logFile: join(folder, 'postgres.log'), durable: true });
  const server = await launch(postgres.spec);
  try {
    await waitUntilReady(server);
    await migrateDatabase(postgres.url);
    const database = connectDatabase(postgres.url);
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  } finally {
    await endProcess(server, { signal: 'SIGQUIT', graceSeconds: 5 });
    if (!postgres.directory.startsWith(folder)) rmSync(dirname(postgres.directory), { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}
