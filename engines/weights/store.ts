/**
 * The weights of one host: fetched into its cache once, whatever asks for them, and found there by the engines. A fetch that was
 * interrupted goes on; a finished copy appears by a rename, checked, and is never changed. Workers of the same host may share the cache.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../driver.ts';
import { type Release, tryLock } from '../file-lock.ts';
import { copyFolder } from './copy.ts';
import { checkFolder, isMissing, listFiles, type Manifest, readManifest, sha256Of, writeJson } from './files.ts';
import { downloadedBytes, downloadFromHub, type HubClientOptions, type HubListing, listHub } from './hub.ts';
import { entryName, openCache } from './layout.ts';
import { describeBytes, describeProgress, describeSeconds, type FetchProgress, percentOf, whileAdvancing } from './progress.ts';
import { type HubSource, parseSource } from './source.ts';
import { makeRoom, readUse, recordUse, removeFolder } from './space.ts';

export interface WeightStoreOptions {
  /** The cache, on a local disk. */
  directory: string;
  /** Where this host keeps the record of a replica's engine; the weights are in use while it is there. */
  engineFile: (replicaId: string) => string;
  /** The hub's own client, its words: `['hf']`. */
  hubCommand: readonly string[];
  /** HF_TOKEN, HF_ENDPOINT, HF_HOME and the like for it; this process's by default. */
  env?: NodeJS.ProcessEnv;
  /** A fetch is given up when nothing has advanced for so long. */
  stallMs: number;
  /** Of the disk that a folder is on; the system's own answer by default. */
  freeBytes?: (directory: string) => Promise<number>;
  /** From one note of a copy to the next. */
  checkpointBytes?: number;
  logger?: Logger;
}

export interface FetchOptions {
  signal: AbortSignal;
  /** Called every second or so. */
  onProgress: (note: FetchNote) => void;
}

export interface FetchNote {
  /** `copies /share/llama: 12.3 GB of 140.2 GB (8 %), 210 MB/s, 10 min left` */
  line: string;
  /** What is there, or has been read again; null where someone else is at it. */
  bytes: number | null;
  percent: number | null;
}

export type WeightStore = ReturnType<typeof createWeightStore>;
type Weights = Pick<EngineSpec, 'replicaId' | 'source'>;

/** What a source is at this moment. */
interface Found {
  /** For the line that says what was done. */
  name: string;
  version: string;
  totalBytes: number;
  /** Fills the folder of a fetch, from wherever an earlier one ended. @returns the files of its `model` as they lie there */
  fill(partial: string): Promise<Manifest['files']>;
}

const WAIT_MS = 500;

export function createWeightStore(options: WeightStoreOptions) {
  const cache = openCache(options.directory);
  const logger = options.logger ?? pino({ name: 'weights' });
  const freeBytes = options.freeBytes ?? systemFreeBytes;
  const hub: HubClientOptions = { command: options.hubCommand, env: options.env ?? process.env };
  return { ensure, pathOf, stallMs: options.stallMs };

  /**
   * Makes sure that the cache holds a replica's weights as their source is now, and gives them to the replica.
   * @returns one line on what was done
   * @throws disk-full; engine-failed where trying again cannot help; unavailable; the signal's reason
   */
  async function ensure(spec: Weights, fetch: FetchOptions): Promise<string> {
    const source = parseSource(spec.source);
    const found = source.kind === 'hub' ? await findInHub(source, spec, fetch) : await findFolder(source.path, spec, fetch);
    if (typeof found === 'string') return `${found}: the engine fetches ${spec.source} itself as it starts`;
    const entry = entryName(source, found.version);
    const release = await takeLock(entry, fetch);
    try {
      const kept = await checkEntry(entry, fetch);
      const detail = kept
        ? `${found.name} is in this host's cache since ${new Date(kept.fetchedAtMs).toISOString().slice(0, 16)}Z`
        : await fetchNow(entry, found, spec);
      const now = new Date();
      await utimes(cache.manifestFile(entry), now, now);
      const { replicaId } = spec;
      await recordUse(cache, { ...spec, entry, engineFile: options.engineFile(replicaId), sinceMs: now.getTime() });
      return detail;
    } finally {
      await release();
    }
  }

  /** The folder that a replica's engine loads; undefined where the engine finds its weights itself. */
  async function pathOf({ replicaId, source }: Weights): Promise<string | undefined> {
    const use = await readUse(cache, replicaId);
    const entry = use && (use.source === source ? use.entry : await latestEntry(source));
    const folder = entry && cache.modelFolder(entry);
    return folder && existsSync(folder) ? folder : undefined;
  }

  async function findFolder(path: string, { replicaId, source }: Weights, fetch: FetchOptions): Promise<Found> {
    const reading = { what: source, totalBytes: 0, stallMs: options.stallMs, bytes: () => 0, signal: fetch.signal };
    const files = await whileAdvancing(() => listFiles(path), {
      ...reading,
      onProgress: () => fetch.onProgress({ line: `looks at ${path}`, bytes: 0, percent: null }),
    }).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      throw new UellmError({ kind: 'engine-failed', replicaId, reason: `${source}: no such folder on this host` });
    });
    if (files.length === 0) throw new UellmError({ kind: 'engine-failed', replicaId, reason: `${source} holds no files` });
    return {
      name: path,
      version: createHash('sha256').update(JSON.stringify(files)).digest('hex'),
      totalBytes: totalOf(files),
      fill: (partial) =>
        advancing(`copies ${path}`, totalOf(files), fetch, (signal, onBytes) => {
          const { checkpointBytes } = options;
          const to = join(partial, 'model');
          const how = { signal, onBytes, ...(checkpointBytes === undefined ? {} : { checkpointBytes }) };
          return copyFolder({ from: path, files, to, checkpoints: join(partial, 'checkpoints'), ...how });
        }),
    };
  }

  /** @returns the reason why this host cannot fetch from the hub */
  async function findInHub(source: HubSource, { replicaId, source: address }: Weights, fetch: FetchOptions): Promise<Found | string> {
    fetch.onProgress({ line: `asks the hub for ${source.repository}`, bytes: 0, percent: null });
    try {
      const listing = await listHub(hub, source, replicaId, fetch.signal);
      if (typeof listing === 'string') return listing;
      return {
        name: `${source.repository} at commit ${listing.commit}`,
        version: listing.commit,
        totalBytes: totalOf(listing.files),
        fill: (partial) => download(source.repository, listing, partial, replicaId, fetch),
      };
    } catch (error) {
      const latest = await latestOf(address);
      if (!latest || !(error instanceof UellmError && error.detail.kind === 'unavailable')) throw error;
      logger.warn({ source: address, error: error.message }, 'the hub does not answer: the newest copy in the cache is used');
      const name = `the hub does not answer; ${source.repository} at commit ${latest.version}`;
      return { name, version: latest.version, totalBytes: totalOf(latest.files), fill: () => Promise.reject(error) };
    }
  }

  /** Of a replica that was given other weights since: while it changes its revision it may have to go back. */
  async function latestEntry(source: string): Promise<string | undefined> {
    const latest = await latestOf(source);
    return latest && entryName(parseSource(source), latest.version);
  }

  async function latestOf(source: string): Promise<Manifest | undefined> {
    const entries = await readdir(cache.entriesDirectory);
    const manifests = await Promise.all(entries.map((entry) => readManifest(cache.manifestFile(entry))));
    const ofSource = manifests.filter((manifest) => manifest?.source === source) as Manifest[];
    return ofSource.sort((a, b) => b.fetchedAtMs - a.fetchedAtMs)[0];
  }

  async function download(
    repository: string,
    listing: HubListing,
    partial: string,
    replicaId: string,
    fetch: FetchOptions,
  ): Promise<Manifest['files']> {
    const to = join(partial, 'model');
    const totalBytes = totalOf(listing.files);
    await whileAdvancing((signal) => downloadFromHub(hub, { repository, listing, to, state: partial, replicaId, signal }), {
      ...{ what: `hf://${repository}`, totalBytes, stallMs: options.stallMs, signal: fetch.signal, bytes: () => downloadedBytes(to) },
      onProgress: told(`downloads ${repository}`, fetch),
    });
    const files = await advancing(`checks ${repository}`, totalBytes, fetch, (signal, onBytes) =>
      checkDownload(to, listing, signal, onBytes),
    );
    await rm(join(to, '.cache'), { recursive: true, force: true }); // the client's own notes
    return files;
  }

  /** The lock of an entry: one worker at a time fetches, checks or removes it. */
  async function takeLock(entry: string, { signal, onProgress }: FetchOptions): Promise<Release> {
    for (;;) {
      const release = await tryLock(cache.lockFile(entry));
      if (release) return release;
      const holder = await readFile(join(cache.partial(entry), 'fetching-for'), 'utf8').catch(() => null);
      const line =
        holder === null ? 'waits for another replica that checks the same weights' : `waits for the download of replica ${holder}`;
      onProgress({ line, bytes: null, percent: null });
      await delay(WAIT_MS);
      signal.throwIfAborted();
    }
  }

  /** A finished copy that is whole; one that is not is removed. Under its lock. */
  async function checkEntry(entry: string, fetch: FetchOptions): Promise<Manifest | null> {
    const manifest = await readManifest(cache.manifestFile(entry));
    if (!manifest) {
      await removeFolder(cache.entry(entry)); // never finished: a copy and its manifest appear together
      return null;
    }
    const checked = await advancing(`checks ${entry}`, totalOf(manifest.files), fetch, (signal, onBytes) =>
      checkFolder(cache.modelFolder(entry), manifest, signal, onBytes),
    );
    if (typeof checked !== 'string') {
      if (JSON.stringify(checked) !== JSON.stringify(manifest)) await writeJson(cache.manifestFile(entry), checked);
      return checked;
    }
    logger.warn({ entry, reason: checked }, 'weights in the cache are damaged and are fetched again');
    await removeFolder(cache.entry(entry));
    return null;
  }

  async function fetchNow(entry: string, found: Found, { replicaId, source }: Weights): Promise<string> {
    const partial = cache.partial(entry);
    const began = Date.now();
    await mkdir(join(partial, 'model'), { recursive: true });
    await writeFile(join(partial, 'fetching-for'), replicaId);
    const there = Math.min(found.totalBytes, await downloadedBytes(join(partial, 'model')));
    const removed = await makeRoom(cache, entry, found.totalBytes - there, freeBytes);
    if (removed.length > 0) logger.info({ removed, for: entry }, 'weights that nobody used made room for others');
    const files = await found.fill(partial).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      const neededBytes = found.totalBytes - (await downloadedBytes(join(partial, 'model')));
      throw new UellmError({ kind: 'disk-full', directory: cache.directory, neededBytes, freeBytes: await freeBytes(cache.directory) });
    });
    await writeJson(join(partial, 'manifest.json'), { source, version: found.version, fetchedAtMs: Date.now(), files });
    for (const name of await readdir(partial))
      if (name !== 'model' && name !== 'manifest.json') await rm(join(partial, name), { recursive: true });
    await rename(partial, cache.entry(entry));
    const seconds = (Date.now() - began) / 1000;
    const resumed = there > 0 ? `, of which ${describeBytes(there)} were there` : '';
    return `${found.name}: ${describeBytes(found.totalBytes)} fetched in ${describeSeconds(seconds)}${resumed}, checked by SHA-256`;
  }

  /** Work that counts its bytes, told line by line, and given up when it stops counting. */
  function advancing<T>(
    doing: string,
    totalBytes: number,
    fetch: FetchOptions,
    work: (signal: AbortSignal, onBytes: (bytes: number) => void) => Promise<T>,
  ): Promise<T> {
    let bytes = 0;
    return whileAdvancing(
      (signal) =>
        work(signal, (more) => {
          bytes += more;
        }),
      {
        ...{ what: doing, totalBytes, stallMs: options.stallMs, signal: fetch.signal, bytes: () => bytes },
        onProgress: told(doing, fetch),
      },
    );
  }
}

/** Are the files what the hub says they are? One that is not is removed, so that the next download brings it again. */
async function checkDownload(
  folder: string,
  listing: HubListing,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Manifest['files']> {
  const files: Manifest['files'] = [];
  for (const { path, bytes, sha256: expected } of listing.files) {
    const file = join(folder, path);
    const found = await stat(file).catch(() => null);
    const sha256 = found?.size === bytes ? await sha256Of(file, signal, onBytes) : null;
    if (!found || sha256 === null || (expected !== null && sha256 !== expected)) {
      await rm(file, { force: true });
      throw new UellmError({ kind: 'unavailable', what: path, reason: 'what was downloaded is not what the hub says it is' });
    }
    files.push({ path, bytes, mtimeMs: found.mtimeMs, sha256 });
  }
  return files;
}

const told = (doing: string, fetch: FetchOptions) => (progress: FetchProgress) =>
  fetch.onProgress({ line: `${doing}: ${describeProgress(progress)}`, bytes: progress.bytes, percent: percentOf(progress) });

const totalOf = (files: readonly { bytes: number }[]) => files.reduce((sum, file) => sum + file.bytes, 0);

async function systemFreeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
