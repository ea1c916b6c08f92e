/**
 * What a host remembers of its engines, on its own disk:
 *
 *   engines/<replicaId>.json   the engine that was launched last, until it is stopped
 *   fences/<replicaId>.json    the highest generation ever asked for, for good: what is older is refused
 *   locks/, logs/              who works on a replica; what its engines wrote
 *
 * Each file is written beside its place, synced and renamed: it is there whole or not at all. One that cannot be understood all the same
 * is moved aside and reported; its engine is then found by its marks (marked-processes.ts).
 */
import { mkdirSync, realpathSync } from 'node:fs';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { parseInput } from '../core/domain/validate.ts';
import type { EngineSpec, EngineState } from './driver.ts';

/** Written before the launch, so that a crash in between is seen. */
export interface EngineIntent extends Omit<EngineState, 'pid' | 'processStartTime'> {
  pid: null;
  processStartTime: null;
}

export type EngineRecord = (EngineState | EngineIntent) & {
  /** When the engine was asked to end, ms since the epoch; null while nobody has. */
  endAskedAtMs: number | null;
};

export interface Fence {
  generation: number;
  /** That generation was stopped: it does not start again. */
  stopped: boolean;
}

const replicaIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,150}$/, 'a file name of letters, digits, dots, dashes and underscores, at most 151 long');

const fenceSchema = z.object({ generation: z.number().int(), stopped: z.boolean() });

/** The fields that the host itself relies on; drivers get the rest as it was written. */
const recordSchema = z
  .looseObject({
    spec: z.looseObject({
      replicaId: replicaIdSchema,
      generation: z.number().int(),
      engine: z.string(),
      accelerators: z.array(z.number().int()),
    }),
    pid: z.number().int().positive().nullable(),
    processStartTime: z.string().nullable(),
    launchedGeneration: z.number().int().optional(),
    endpoint: z.url(),
    startedAtMs: z.number(),
    logFile: z.string(),
    endAskedAtMs: z.number().nullable(),
  })
  .transform((record) => record as unknown as EngineRecord);

export type StateFiles = ReturnType<typeof openStateFiles>;

export function isLaunched(record: EngineRecord): record is EngineState & EngineRecord {
  return record.pid !== null;
}

/** Opens the directory of one host, creating what is missing. */
export function openStateFiles(hostDirectory: string, logger: Logger) {
  for (const name of ['engines', 'fences', 'locks', 'logs']) mkdirSync(join(hostDirectory, name), { recursive: true });
  // Marks on processes are compared with it: one name for the directory, however it was reached.
  const directory = realpathSync(resolve(hostDirectory));
  const engineFile = (replicaId: string) => join(directory, 'engines', `${fileSafe(replicaId)}.json`);
  const fenceFile = (replicaId: string) => join(directory, 'fences', `${fileSafe(replicaId)}.json`);

  return {
    directory,
    logDirectory: join(directory, 'logs'),
    lockFile: (replicaId: string) => join(directory, 'locks', fileSafe(replicaId)),
    /** Held while accelerators and ports are chosen. No replica is called so: ids begin with a letter or digit. */
    hostLockFile: join(directory, 'locks', '_host'),

    readRecord: (replicaId: string) => readWhole(engineFile(replicaId), recordSchema, logger),
    writeRecord: (record: EngineRecord) => writeWhole(engineFile(record.spec.replicaId), record),
    removeRecord: (replicaId: string) => rm(engineFile(replicaId), { force: true }),

    async listRecords(): Promise<EngineRecord[]> {
      const names = (await readdir(join(directory, 'engines'))).filter((name) => name.endsWith('.json')).sort();
      const records = await Promise.all(names.map((name) => readWhole(join(directory, 'engines', name), recordSchema, logger)));
      return records.filter((record) => record !== null);
    },

    /** What is known of a replica's generations; 0 where nothing is. */
    async readFence(replicaId: string): Promise<Fence> {
      const fence = await readWhole(fenceFile(replicaId), fenceSchema, logger);
      return fence ?? { generation: (await this.readRecord(replicaId))?.spec.generation ?? 0, stopped: false };
    },
    writeFence: (replicaId: string, fence: Fence) => writeWhole(fenceFile(replicaId), fence),
  };
}

/** The id, once it is known to name a file in its folder and nothing else. @throws invalid-input */
function fileSafe(replicaId: EngineSpec['replicaId']): string {
  return parseInput(replicaIdSchema, replicaId, 'replica id');
}

async function readWhole<T>(file: string, schema: z.ZodType<T>, logger: Logger): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    const aside = `${file}.corrupt-${Date.now()}`;
    // Two readers may find it at once: whoever is second finds it gone.
    await rename(file, aside).catch(() => undefined);
    logger.warn({ file, aside, error: error.message }, 'an engine state file cannot be understood and was moved aside');
    return null;
  }
}

async function writeWhole(file: string, value: unknown): Promise<void> {
  // Writers of one file exclude each other by the replica's lock.
  const draft = `${file}.${process.pid}.draft`;
  const handle = await open(draft, 'w');
  try {
    await handle.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  // The rename itself lies in the folder.
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
