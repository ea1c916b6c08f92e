/**
 * Room in the cache. What no replica uses is removed when, and only when, a fetch needs its room: what was not asked for the longest goes
 * first. A copy is in use while a replica that was given it has an engine on record, and for an hour before that.
 */
import { existsSync } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UellmError } from '../../core/domain/errors.ts';
import { tryLock } from '../file-lock.ts';
import { readJson, writeJson } from './files.ts';
import type { CacheLayout } from './layout.ts';

/** From the end of a fetch to the start of its engine, at most. */
const GRACE_MS = 3600_000;
/** For whatever else writes to that disk. */
export const KEPT_FREE_BYTES = 1024 ** 3;

const useSchema = z.object({ replicaId: z.string(), source: z.string(), entry: z.string(), engineFile: z.string(), sinceMs: z.number() });
/** A replica was given an entry of the cache. */
export type Use = z.infer<typeof useSchema>;

export const readUse = (cache: CacheLayout, replicaId: string) => readJson(cache.useFile(replicaId), useSchema);
export const recordUse = (cache: CacheLayout, use: Use) => writeJson(cache.useFile(use.replicaId), use);

/**
 * Removes what is in no use until there are `neededBytes`.
 * @param own the entry that needs the room, whose lock the caller holds
 * @returns names of the entries removed
 * @throws disk-full
 */
export async function makeRoom(
  cache: CacheLayout,
  own: string,
  neededBytes: number,
  freeBytes: (directory: string) => Promise<number>,
): Promise<string[]> {
  const removed: string[] = [];
  const needed = neededBytes + KEPT_FREE_BYTES;
  let free = await freeBytes(cache.directory);
  for (const entry of free < needed ? await oldestFirst(cache) : []) {
    if (free >= needed) break;
    if (entry === own || !(await removeUnused(cache, entry))) continue;
    removed.push(entry);
    free = await freeBytes(cache.directory);
  }
  if (free < needed) throw new UellmError({ kind: 'disk-full', directory: cache.directory, neededBytes: needed, freeBytes: free });
  return removed;
}

async function oldestFirst(cache: CacheLayout): Promise<string[]> {
  const names = new Set((await readdir(cache.entriesDirectory)).map((name) => name.replace(/\.partial$/, '')));
  const askedFor = async (entry: string) =>
    Math.max(
      ...(await Promise.all(
        [cache.manifestFile(entry), cache.partial(entry)].map((f) =>
          stat(f).then(
            (s) => s.mtimeMs,
            () => 0,
          ),
        ),
      )),
    );
  const aged = await Promise.all([...names].map(async (entry) => ({ entry, atMs: await askedFor(entry) })));
  return aged.sort((a, b) => a.atMs - b.atMs).map(({ entry }) => entry);
}

/** @returns false where it is being fetched or used */
async function removeUnused(cache: CacheLayout, entry: string): Promise<boolean> {
  const release = await tryLock(cache.lockFile(entry));
  if (!release) return false;
  try {
    if ((await usesOf(cache, entry)).length > 0) return false;
    for (const folder of [cache.entry(entry), cache.partial(entry)]) await removeFolder(folder);
    return true;
  } finally {
    await release();
  }
}

/** Those that still count; the others are forgotten. */
async function usesOf(cache: CacheLayout, entry: string): Promise<Use[]> {
  const living: Use[] = [];
  for (const name of await readdir(cache.usesDirectory)) {
    const file = join(cache.usesDirectory, name);
    const use = await readJson(file, useSchema);
    if (use && (existsSync(use.engineFile) || Date.now() - use.sinceMs < GRACE_MS)) living.push(use);
    else if (use) await rm(file, { force: true });
  }
  return living.filter((use) => use.entry === entry);
}

/** Under another name first: whoever looks finds it whole or not at all. */
export async function removeFolder(folder: string): Promise<void> {
  const doomed = `${folder}.removed`;
  await rm(doomed, { recursive: true, force: true });
  await rename(folder, doomed).catch(() => undefined);
  await rm(doomed, { recursive: true, force: true });
}
