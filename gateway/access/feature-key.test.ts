import { mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSketcher } from '../../core/profiler/text/sketch.ts';
import { deriveKey, type FeatureKeyFile, watchFeatureKey } from './feature-key.ts';

const SECRET = 'a1'.repeat(32);
const OTHER = 'b2'.repeat(32);
const PARTS = { prompt: 'Write a poem', system: '', turn: 0, earlierAnswerCharacters: 0, temperature: null, tools: false };

describe('deriving the key', () => {
  it('takes at least 32 characters, blanks around them not counted', () => {
    for (const short of ['', '\n', 'x'.repeat(31), ` ${'x'.repeat(31)}\n`]) expect(deriveKey(short)).toBeNull();
    expect(deriveKey('x'.repeat(32))).not.toBeNull();
    expect(deriveKey(` ${SECRET}\n`)).toEqual(deriveKey(SECRET));
  });

  it('is the same for the same text and another for another, in name and in hashes', () => {
    const [key, other] = [deriveKey(SECRET)!, deriveKey(OTHER)!];
    expect(deriveKey(SECRET)).toEqual(key);
    expect(other.id).not.toBe(key.id);
    const buckets = [key, other].map((k) => createSketcher(k).sketch(PARTS).buckets);
    expect(buckets[0]).not.toEqual(buckets[1]);
  });

  it('has an id that says nothing of the key', () => {
    const { id, k0, k1 } = deriveKey(SECRET)!;
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    expect(SECRET).not.toContain(id);
    const key = Buffer.alloc(8);
    key.writeInt32LE(k0);
    key.writeInt32LE(k1, 4);
    for (let i = 0; i + 3 <= key.length; i++) expect(id).not.toContain(key.toString('hex', i, i + 3));
  });
});

describe('the file of the key', () => {
  let directory: string;
  let file: string;
  let watched: FeatureKeyFile;
  const logger = { info: vi.fn(), warn: vi.fn() };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'uellm-key-'));
    file = join(directory, 'feature-key');
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    watched.close();
    vi.useRealTimers();
    vi.clearAllMocks();
    rmSync(directory, { recursive: true, force: true });
  });

  const watch = (of: string | null = file) => {
    watched = watchFeatureKey(of, logger as unknown as Logger);
  };
  /** Id of the key in force. */
  const inForce = () => watched.sketcher()?.sketch(PARTS).keyId ?? null;
  const soon = (holds: () => void) => vi.waitFor(holds, { timeout: 2000, interval: 5 });
  /** Lets a read begin, and gives it time to end. */
  const reread = async () => {
    vi.advanceTimersByTime(5000);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  it('gives no sketcher while it is missing, and is complained of once', async () => {
    watch();
    await soon(() => expect(logger.warn).toHaveBeenCalledTimes(1));
    for (let i = 0; i < 3; i++) await reread();
    expect(inForce()).toBeNull();
    expect(logger.warn).toHaveBeenCalledTimes(1);
    expect(logger.warn.mock.calls[0]![0]).toMatchObject({ file, error: expect.stringContaining('ENOENT') });
    writeFileSync(file, SECRET);
    vi.advanceTimersByTime(5000);
    await soon(() => expect(inForce()).toBe(deriveKey(SECRET)!.id));
  });

  it('is not needed: without one there is no sketcher and no complaint', async () => {
    watch(null);
    await reread();
    expect(inForce()).toBeNull();
    expect(logger.warn).not.toHaveBeenCalled();
  });

  it('puts another key in force when it is replaced', async () => {
    writeFileSync(file, `${SECRET}\n`);
    watch();
    await soon(() => expect(inForce()).toBe(deriveKey(SECRET)!.id));
    const sketcher = watched.sketcher();
    await reread();
    expect(watched.sketcher()).toBe(sketcher); // read again, and the same
    writeFileSync(`${file}.new`, `${OTHER}\n`);
    renameSync(`${file}.new`, file);
    vi.advanceTimersByTime(5000);
    await soon(() => expect(inForce()).toBe(deriveKey(OTHER)!.id));
    expect(logger.warn).not.toHaveBeenCalled();
  });

  it('keeps the last key while the file is cut short or gone, and complains anew after each recovery', async () => {
    writeFileSync(file, SECRET);
    watch();
    await soon(() => expect(inForce()).toBe(deriveKey(SECRET)!.id));
    truncateSync(file, 20);
    await reread();
    await soon(() => expect(logger.warn).toHaveBeenCalledTimes(1));
    expect(logger.warn.mock.calls[0]![0]).toMatchObject({ error: 'it holds fewer than 32 characters' });
    expect(inForce()).toBe(deriveKey(SECRET)!.id);
    writeFileSync(file, SECRET);
    await reread();
    rmSync(file);
    await reread();
    await soon(() => expect(logger.warn).toHaveBeenCalledTimes(2));
    expect(inForce()).toBe(deriveKey(SECRET)!.id);
  });

  it('is never written to a log, neither whole nor in part', async () => {
    writeFileSync(file, SECRET.slice(0, 31));
    watch();
    await soon(() => expect(logger.warn).toHaveBeenCalledTimes(1));
    writeFileSync(file, SECRET);
    vi.advanceTimersByTime(5000);
    await soon(() => expect(logger.info).toHaveBeenCalledTimes(1));
    expect(JSON.stringify([logger.info.mock.calls, logger.warn.mock.calls])).not.toContain(SECRET.slice(0, 8));
  });
});
