/** Where a model's weights come from, and how an engine is told. */
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineSpec } from '../driver.ts';

export interface HubSource {
  kind: 'hub';
  repository: string;
  /** null for the hub's own default. */
  revision: string | null;
}
export type WeightSource = HubSource | { kind: 'folder'; path: string };

/** @param source `hf://owner/name`, `hf://owner/name@revision` or `file:///path`, as a model's schema lets it through */
export function parseSource(source: string): WeightSource {
  return source.startsWith('hf://') ? parseHubSource(source) : { kind: 'folder', path: fileURLToPath(source) };
}

export function parseHubSource(source: string): HubSource {
  const [repository, revision] = source.slice('hf://'.length).split('@') as [string, string?];
  return { kind: 'hub', repository, revision: revision ?? null };
}

/**
 * The folder on this host that an engine loads a replica's weights from: the copy in the host's cache, else the folder of a `file://` source.
 * @returns null where there is neither: the engine then fetches what `parseHubSource(spec.source)` names itself
 */
export function localModelPath({ source, weightsPath }: Pick<EngineSpec, 'source' | 'weightsPath'>): string | null {
  if (weightsPath !== undefined) return weightsPath;
  return source.startsWith('hf://') ? null : fileURLToPath(source);
}

/** @returns the path of a `file://` source. @throws engine-failed where there is no such folder on this host */
export async function findLocalFolder(source: string, replicaId: string): Promise<string> {
  const path = fileURLToPath(source);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) throw new UellmError({ kind: 'engine-failed', replicaId, reason: `${source}: no such folder on this host` });
  return path;
}
