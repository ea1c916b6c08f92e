/**
 * Copies a folder of weights so that whatever kills it costs little: beside each file lies how far it is known to be good, with the digest
 * of that much. The next copy reads what is there, compares, and goes on; where it is not what was written, that file begins again.
 */
import { createHash, type Hash } from 'node:crypto';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { UellmError } from '../../core/domain/errors.ts';
import { type Manifest, readJson, type WeightFile, writeJson } from './files.ts';

export interface CopyOptions {
  from: string;
  files: readonly WeightFile[];
  to: string;
  /** Where it is written down how far each file is. */
  checkpoints: string;
  /** From one note to the next. */
  checkpointBytes?: number;
  signal: AbortSignal;
  /** Called with the length of every piece that is there, copied or found. */
  onBytes: (bytes: number) => void;
}

const CHECKPOINT_BYTES = 256 * 1024 ** 2;
const CHUNK_BYTES = 4 * 1024 ** 2;

const checkpointSchema = z.object({
  bytes: z.number(),
  /** Of the first `bytes`. */
  sha256: z.string(),
  /** Of the target, once it is whole: it need not be read again. */
  mtimeMs: z.number().nullable(),
});

/** @returns the files as they now lie there. @throws unavailable where a file changes meanwhile; the signal's reason; what the system says */
export async function copyFolder(options: CopyOptions): Promise<Manifest['files']> {
  const copied: Manifest['files'] = [];
  for (const file of options.files) copied.push(await copyFile(file, options));
  return copied;
}

async function copyFile(file: WeightFile, options: CopyOptions): Promise<Manifest['files'][number]> {
  const { signal, onBytes } = options;
  const target = join(options.to, file.path);
  const note = join(options.checkpoints, `${file.path}.json`);
  for (const path of [target, note]) await mkdir(dirname(path), { recursive: true });
  const known = await readJson(note, checkpointSchema);
  const there = await stat(target).catch(() => null);
  if (known?.bytes === file.bytes && there?.size === file.bytes && known.mtimeMs === there.mtimeMs) {
    onBytes(file.bytes);
    return { ...file, mtimeMs: there.mtimeMs, sha256: known.sha256 };
  }

  const source = await open(join(options.from, file.path), 'r');
  try {
    const sink = await open(target, there ? 'r+' : 'w+');
    try {
      let hash = createHash('sha256');
      let position = 0;
      if (known && (await hashPrefix(sink, known.bytes, hash, signal)) && hash.copy().digest('hex') === known.sha256)
        position = known.bytes;
      else hash = createHash('sha256');
      onBytes(position);
      await sink.truncate(position);

      const read = async (at: number) => {
        const { bytesRead, buffer } = await source.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
        return buffer.subarray(0, bytesRead);
      };
      let noted = position;
      // One piece is read while the one before is written.
      for (let next = read(position); ; ) {
        const chunk = await next;
        signal.throwIfAborted();
        if (chunk.length === 0) break;
        next = read(position + chunk.length);
        next.catch(() => {}); // surfaces where it is awaited
        hash.update(chunk);
        for (let written = 0; written < chunk.length; )
          written += (await sink.write(chunk, written, chunk.length - written, position + written)).bytesWritten;
        position += chunk.length;
        onBytes(chunk.length);
        if (position - noted >= (options.checkpointBytes ?? CHECKPOINT_BYTES)) {
          await sink.sync();
          await writeJson(note, { bytes: position, sha256: hash.copy().digest('hex'), mtimeMs: null });
          noted = position;
        }
        signal.throwIfAborted();
      }
      if (position !== file.bytes)
        throw new UellmError({ kind: 'unavailable', what: join(options.from, file.path), reason: 'it changed while it was copied' });
      await sink.sync();
      const { mtimeMs } = await sink.stat();
      const sha256 = hash.digest('hex');
      await writeJson(note, { bytes: position, sha256, mtimeMs });
      return { ...file, mtimeMs, sha256 };
    } finally {
      await sink.close();
    }
  } finally {
    await source.close();
  }
}

/** @returns false where there are fewer bytes */
async function hashPrefix(file: Awaited<ReturnType<typeof open>>, bytes: number, hash: Hash, signal: AbortSignal): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; at < bytes; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK_BYTES, bytes - at), at);
    if (bytesRead === 0) return false;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return true;
}
