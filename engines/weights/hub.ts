/**
 * Weights from the hub, by the hub's own client (`hf` of huggingface_hub): it knows the token, the mirror and the proxy of this host, and
 * goes on where an earlier download ended, file by file. https://huggingface.co/docs/huggingface_hub/guides/cli
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UellmError } from '../../core/domain/errors.ts';
import { engineEnvironment } from '../environment.ts';
import { endProcess, launchDetached } from '../process.ts';
import { isMissing, readJson, writeJson } from './files.ts';

export interface HubClientOptions {
  /** Its words, `['hf']`. */
  command: readonly string[];
  /** The host worker's: HF_TOKEN, HF_ENDPOINT, HF_HOME and the like reach the client. */
  env: NodeJS.ProcessEnv;
}

export interface HubFile {
  path: string;
  bytes: number;
  /** Of large files, which the hub knows by it; null for the others. */
  sha256: string | null;
}

export interface HubListing {
  /** What the revision is at this moment, 40 hex digits. */
  commit: string;
  /** Those that engines load: see `neededFiles`. */
  files: HubFile[];
}

/** Seconds for a polite end: the client removes what it cannot go on with. */
const END_SECONDS = 5;
/** An answer of a few kilobytes; the client itself tries several times. */
const ASK_TIMEOUT_MS = 60_000;
/** Beside safetensors the same weights often lie in formats that no engine here loads. */
const OTHER_FORMATS = ['*.bin', '*.pt', '*.pth', '*.h5', '*.msgpack', '*.onnx', '*.gguf', '*.ot'];
/** What another try cannot mend, in the client's words. */
const FINAL = /not found|gated|access denied|unauthorized|forbidden|\b40[13]\b|invalid user token/i;

const infoSchema = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const filesSchema = z.array(z.object({ path: z.string(), size: z.number().optional(), lfs: z.object({ sha256: z.string() }).nullish() }));
const clientSchema = z.object({ pid: z.number(), startTime: z.string() });

/**
 * What a revision is and holds.
 * @returns the reason why this host's client cannot tell, where it is missing, too old or switched off
 * @throws engine-failed where the hub says no; unavailable where it does not answer
 */
export async function listHub(
  client: HubClientOptions,
  { repository, revision }: { repository: string; revision: string | null },
  replicaId: string,
  signal: AbortSignal,
): Promise<HubListing | string> {
  if (/^(1|true|yes|on)$/i.test(client.env.HF_HUB_OFFLINE ?? '')) return 'HF_HUB_OFFLINE keeps it from asking the hub';
  try {
    const ask = (...args: string[]) => run(client, args, signal).then((text) => JSON.parse(text) as unknown);
    const info = await ask('models', 'info', repository, '--revision', revision ?? 'main', '--format', 'json');
    const commit = infoSchema.parse(info).sha;
    const listed = filesSchema.parse(await ask('models', 'ls', repository, '--revision', commit, '--recursive', '--format', 'json'));
    const files = listed.flatMap(({ path, size, lfs }) => (size === undefined ? [] : [{ path, bytes: size, sha256: lfs?.sha256 ?? null }]));
    return { commit, files: neededFiles(files) };
  } catch (error) {
    signal.throwIfAborted();
    if (isMissing(error)) return `there is no command ${client.command[0]} on this host`;
    const said = saidBy(error);
    // Clients before 1.x.
    if (/no such command|invalid choice|no such option|unrecognized arguments/i.test(said))
      return `the command ${client.command[0]} does not offer \`models info\` and \`models ls\``;
    throw hubError(repository, said, replicaId, error);
  }
}

/** Without formats that no engine here loads, where there are safetensors; hidden files are the hub's own. */
function neededFiles(files: HubFile[]): HubFile[] {
  const visible = files.filter((file) => !file.path.split('/').some((part) => part.startsWith('.')));
  if (!visible.some((file) => file.path.endsWith('.safetensors'))) return visible;
  return visible.filter((file) => !OTHER_FORMATS.some((pattern) => file.path.endsWith(pattern.slice(1))));
}

/**
 * Downloads a listing into a folder. What an earlier client left running is ended first.
 * @param options.state a folder for its log and its process id
 * @throws engine-failed, unavailable, or the signal's reason once the client has ended
 */
export async function downloadFromHub(
  client: HubClientOptions,
  options: { repository: string; listing: HubListing; to: string; state: string; replicaId: string; signal: AbortSignal },
): Promise<void> {
  const { repository, listing, to, state, replicaId, signal } = options;
  const clientFile = join(state, 'client.json');
  const logFile = join(state, 'client.log');
  const left = await readJson(clientFile, clientSchema);
  if (left) await endProcess(left, { deadlineMs: Date.now() + END_SECONDS * 1000 });
  await removeDeadDownloads(to);
  await rm(logFile, { force: true });
  signal.throwIfAborted();

  const [command, ...words] = client.command as [string, ...string[]];
  const excluded = listing.files.some((file) => file.path.endsWith('.safetensors')) ? OTHER_FORMATS : [];
  const exclude = ['.*', ...excluded].flatMap((pattern) => ['--exclude', pattern]);
  const args = [...words, 'download', repository, '--revision', listing.commit, '--local-dir', to, ...exclude];
  const { identity, exited } = await launchDetached({ command, args, env: clientEnvironment(client), logFile });
  await writeJson(clientFile, identity);
  const end = () => void endProcess(identity, { deadlineMs: Date.now() + END_SECONDS * 1000 });
  signal.addEventListener('abort', end, { once: true });
  const exit = await exited;
  signal.removeEventListener('abort', end);
  await rm(clientFile, { force: true });
  signal.throwIfAborted();
  if (exit.code === 0) return;
  const said = (await readFile(logFile, 'utf8').catch(() => '')).trim().slice(-2000);
  throw hubError(repository, said || `the client ended with ${exit.signal ?? `code ${exit.code}`}`, replicaId);
}

/** Bytes of model files in a folder that the client downloads to, finished or not. */
export async function downloadedBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const counted = entries.filter(
    (entry) => entry.isFile() && (entry.name.endsWith('.incomplete') || !entry.parentPath.includes('/.cache/')),
  );
  const sizes = await Promise.all(
    counted.map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        (s) => s.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Newer clients give each download a name of its own, and a killed one leaves its behind, of no use to the next. */
async function removeDeadDownloads(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries)
    if (/\.[0-9a-f]{8}\.incomplete$/.test(entry.name)) await rm(join(entry.parentPath, entry.name), { force: true });
}

function run(client: HubClientOptions, args: string[], signal: AbortSignal): Promise<string> {
  const [command, ...words] = client.command as [string, ...string[]];
  const options = { env: clientEnvironment(client), signal, timeout: ASK_TIMEOUT_MS, maxBuffer: 64 * 1024 ** 2 };
  return new Promise((resolve, reject) => {
    execFile(command, [...words, ...args], options, (error, stdout, stderr) => {
      if (error) reject(Object.assign(error, { stderr }));
      else resolve(stdout);
    });
  });
}

function clientEnvironment({ env }: HubClientOptions): NodeJS.ProcessEnv {
  return { ...engineEnvironment(env), HF_HUB_DISABLE_PROGRESS_BARS: '1', HF_HUB_DISABLE_UPDATE_CHECK: '1', NO_COLOR: '1' };
}

function saidBy(error: unknown): string {
  const { stderr, message } = error as Partial<Error & { stderr: string }>;
  return (stderr?.trim() || message) ?? String(error);
}

function hubError(repository: string, said: string, replicaId: string, cause?: unknown): UellmError {
  const reason = said.replaceAll(/^Hint:.*$/gm, '').trim();
  return FINAL.test(reason)
    ? new UellmError({ kind: 'engine-failed', replicaId, reason: `hf://${repository}: ${reason}` }, { cause })
    : new UellmError({ kind: 'unavailable', what: `hf://${repository}`, reason }, { cause });
}
