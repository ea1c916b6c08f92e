/**
 * A host's cache of weights, on a local disk:
 *
 *   models/<entry>/model/          a finished copy, which engines load; manifest.json beside it
 *   models/<entry>.partial/        one that is being fetched, or was; it takes its place by a rename
 *   uses/<replicaId>.json          which replica was given which entry
 *   locks/                         who fetches, checks or removes an entry
 *
 * An entry is named after its source and what that was then: a source that changes becomes another entry.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { WeightSource } from './source.ts';

export type CacheLayout = ReturnType<typeof openCache>;

/** Opens the cache, creating what is missing. */
export function openCache(given: string) {
  for (const name of ['models', 'uses', 'locks']) mkdirSync(join(given, name), { recursive: true });
  const directory = realpathSync(given);
  const entry = (name: string) => join(directory, 'models', name);
  return {
    directory,
    entriesDirectory: join(directory, 'models'),
    usesDirectory: join(directory, 'uses'),
    entry,
    modelFolder: (name: string) => join(entry(name), 'model'),
    manifestFile: (name: string) => join(entry(name), 'manifest.json'),
    partial: (name: string) => `${entry(name)}.partial`,
    lockFile: (name: string) => join(directory, 'locks', name),
    useFile: (replicaId: string) => join(directory, 'uses', `${replicaId}.json`),
  };
}

/** `acme--llama-1f2e3d4c5b6a`: readable, and one for each version of a source. */
export function entryName(source: WeightSource, version: string): string {
  const of = source.kind === 'hub' ? source.repository : source.path;
  const readable = (source.kind === 'hub' ? of.replace('/', '--') : basename(of)).replaceAll(/[^\w.-]/g, '-').slice(0, 80);
  return `${readable}-${createHash('sha256').update(`${source.kind}\n${of}\n${version}`).digest('hex').slice(0, 12)}`;
}
