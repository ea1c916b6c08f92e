/** The files of a model: what lies in a folder, and the manifest of a finished copy. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

export interface WeightFile {
  /** Below the folder, with slashes. */
  path: string;
  bytes: number;
  mtimeMs: number;
}

const manifestSchema = z.object({
  source: z.string(),
  /** What the source was then: a commit, or a digest of its files' names, sizes and times. */
  version: z.string(),
  fetchedAtMs: z.number(),
  files: z.array(z.object({ path: z.string(), bytes: z.number(), mtimeMs: z.number(), sha256: z.string() })),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Folders below folders, as hubs and trainers leave them; more is a link that leads back. */
const MAX_DEPTH = 8;

/** Every file below a folder, links followed, hidden ones left out, sorted. @throws what the system says */
export async function listFiles(folder: string, below = '', depth = 0): Promise<WeightFile[]> {
  if (depth > MAX_DEPTH) throw new Error(`${join(folder, below)}: more than ${MAX_DEPTH} folders deep`);
  const files: WeightFile[] = [];
  for (const name of (await readdir(join(folder, below))).sort()) {
    if (name.startsWith('.')) continue;
    const path = below ? `${below}/${name}` : name;
    const found = await stat(join(folder, path));
    if (found.isDirectory()) files.push(...(await listFiles(folder, path, depth + 1)));
    else if (found.isFile()) files.push({ path, bytes: found.size, mtimeMs: found.mtimeMs });
  }
  return files;
}

/** @param onBytes called with the length of each piece that was read */
export async function sha256Of(file: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    onBytes(chunk.length);
  }
  return hash.digest('hex');
}

/**
 * Is the folder what its manifest says? Sizes and times are compared; a file whose time alone differs is read whole.
 * @returns the manifest with the times as they are, or the reason why not
 */
export async function checkFolder(
  folder: string,
  manifest: Manifest,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Manifest | string> {
  const files: Manifest['files'] = [];
  for (const file of manifest.files) {
    const path = join(folder, file.path);
    const found = await stat(path).catch(() => null);
    if (found?.size !== file.bytes) return `${file.path} has ${found ? `${found.size} bytes of ${file.bytes}` : 'gone'}`;
    if (found.mtimeMs !== file.mtimeMs && (await sha256Of(path, signal, onBytes)) !== file.sha256) return `${file.path} has other content`;
    files.push({ ...file, mtimeMs: found.mtimeMs });
  }
  return { ...manifest, files };
}

export const readManifest = (file: string) => readJson(file, manifestSchema);

/** @returns null where it is not there or makes no sense */
export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError || isMissing(error)) return null;
    throw error;
  }
}

/** Whole or not at all. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  const draft = `${file}.${process.pid}.draft`;
  const handle = await open(draft, 'w');
  try {
    await handle.writeFile(`${JSON.stringify(value)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
}

export const isMissing = (error: unknown) => (error as NodeJS.ErrnoException)?.code === 'ENOENT';
