/**
 * The model repository of one replica's server:
 *
 *   <deployment>/config.pbtxt
 *   <deployment>/<generation>/model.json   what the backend's engine is started with
 *   <deployment>/<generation>/model.py     for the Python backend: a copy of the operator's
 *
 * What Triton may read is there whole or not at all.
 */
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineSpec } from '../driver.ts';
import { backendOf, engineArguments, modelConfig, modelConfigText } from './model-config.ts';

/** Makes the repository anew with this one version. @throws invalid-input for arguments that cannot be; what the system says */
export async function writeRepository(repository: string, spec: EngineSpec): Promise<void> {
  const draft = `${repository}.draft`;
  await rm(draft, { recursive: true, force: true });
  await writeVersion(join(draft, spec.deployment, String(spec.generation)), spec);
  await writeFile(join(draft, spec.deployment, 'config.pbtxt'), modelConfigText(modelConfig(spec)));
  await rm(repository, { recursive: true, force: true });
  await rename(draft, repository);
}

/** Adds a version beside the others. A plain load goes on taking the one that it took before, until `showVersion`. */
export async function addVersion(repository: string, spec: EngineSpec): Promise<void> {
  const folder = join(repository, spec.deployment, String(spec.generation));
  // Outside the repository: Triton reads every folder in there.
  const draft = `${repository}.draft`;
  await rm(draft, { recursive: true, force: true });
  await writeVersion(draft, spec);
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
}

/** A plain load takes this version from now on. */
export async function showVersion(repository: string, spec: EngineSpec): Promise<void> {
  const draft = `${repository}.config.draft`;
  await writeFile(draft, modelConfigText(modelConfig(spec)));
  await rename(draft, join(repository, spec.deployment, 'config.pbtxt'));
}

export async function removeVersion(repository: string, deployment: string, version: number): Promise<void> {
  await rm(join(repository, deployment, String(version)), { recursive: true, force: true });
}

async function writeVersion(folder: string, spec: EngineSpec): Promise<void> {
  const backend = backendOf(spec);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'model.json'), `${JSON.stringify(engineArguments(spec), null, 2)}\n`);
  if (backend.name === 'python') await copyFile(backend.modelFile, join(folder, 'model.py'));
}
