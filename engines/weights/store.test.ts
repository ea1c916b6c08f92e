import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UellmError } from '../../core/domain/errors.ts';
import { KEPT_FREE_BYTES } from './space.ts';
import { createWeightStore, type FetchNote, type WeightStoreOptions } from './store.ts';

const MIB = 1024 ** 2;
const logger = pino({ level: 'silent' });

let directory: string;
let source: string;
let cache: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-weights-'));
  source = join(directory, 'share', 'llama');
  cache = join(directory, 'cache');
  writeModel(source, {
    'config.json': Buffer.from('{}'),
    'model-1.safetensors': randomBytes(3 * MIB),
    'sub/tokenizer.json': Buffer.from('[]'),
  });
});
afterEach(() => rmSync(directory, { recursive: true }));

function writeModel(folder: string, files: Record<string, Buffer>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

function openStore(changes: Partial<WeightStoreOptions> = {}) {
  const engineFile = (replicaId: string) => join(directory, 'engines', `${replicaId}.json`);
  return createWeightStore({
    directory: cache,
    engineFile,
    hubCommand: ['no-such-hf'],
    stallMs: 60_000,
    checkpointBytes: MIB,
    logger,
    ...changes,
  });
}

const replica = (replicaId = 'r1', folder = source) => ({ replicaId, source: pathToFileURL(folder).href });
const quiet = () => ({ signal: new AbortController().signal, onProgress: () => {} });
const finished = () => readdirSync(join(cache, 'models')).filter((name) => !name.endsWith('.partial'));
const isOfKind = (kind: string) => expect.objectContaining({ detail: expect.objectContaining({ kind }) });
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('weights from a folder', () => {
  it('are copied whole, with a manifest, and given to the replica', async () => {
    const store = openStore();
    const notes: FetchNote[] = [];
    const detail = await store.ensure(replica(), { signal: new AbortController().signal, onProgress: (note) => notes.push(note) });
    expect(detail).toMatch(/llama: 3 MB fetched in \d+ s, checked by SHA-256$/);
    expect(notes.some(({ line }) => /^copies .*: 0 kB of 3 MB \(0 %\)/.test(line))).toBe(true);

    const folder = (await store.pathOf(replica()))!;
    for (const path of ['config.json', 'model-1.safetensors', 'sub/tokenizer.json'])
      expect(sha256(join(folder, path))).toBe(sha256(join(source, path)));
    const [entry] = finished();
    expect(readdirSync(join(cache, 'models'))).toEqual([entry]);
    expect(readdirSync(join(cache, 'models', entry!)).sort()).toEqual(['manifest.json', 'model']);
    const manifest = JSON.parse(readFileSync(join(cache, 'models', entry!, 'manifest.json'), 'utf8'));
    expect(manifest.files[1]).toMatchObject({
      path: 'model-1.safetensors',
      bytes: 3 * MIB,
      sha256: sha256(join(source, 'model-1.safetensors')),
    });
    expect(await store.pathOf({ replicaId: 'r2', source: replica().source })).toBeUndefined();
    expect(await store.pathOf({ replicaId: 'r1', source: 'hf://acme/other' })).toBeUndefined();
  });

  it('are found in the cache the second time, and after a look at them when only their times differ', async () => {
    await openStore().ensure(replica(), quiet());
    const folder = (await openStore().pathOf(replica()))!;
    const inode = statSync(join(folder, 'config.json')).ino;
    expect(await openStore().ensure(replica('r2'), quiet())).toMatch(/is in this host's cache since 2/);
    utimesSync(join(folder, 'model-1.safetensors'), 1, 1);
    expect(await openStore().ensure(replica('r3'), quiet())).toMatch(/is in this host's cache since 2/);
    expect(await openStore().pathOf(replica('r3'))).toBe(folder);
    expect(statSync(join(folder, 'config.json')).ino).toBe(inode);
  });

  it.each([
    ['shorter', (file: string) => writeFileSync(file, 'x')],
    ['other bytes of the same length', (file: string) => writeFileSync(file, randomBytes(3 * MIB))],
    ['gone', (file: string) => rmSync(file)],
  ])('are fetched again where a file of the copy is %s', async (_, damage) => {
    const store = openStore();
    await store.ensure(replica(), quiet());
    const file = join((await store.pathOf(replica()))!, 'model-1.safetensors');
    damage(file);
    expect(await store.ensure(replica(), quiet())).toMatch(/fetched in/);
    expect(sha256(file)).toBe(sha256(join(source, 'model-1.safetensors')));
  });

  it('are fetched beside the old copy when the source changes', async () => {
    const store = openStore();
    await store.ensure(replica('old'), quiet());
    writeFileSync(join(source, 'model-1.safetensors'), randomBytes(MIB));
    expect(await store.ensure(replica('new'), quiet())).toMatch(/fetched in/);
    const [before, after] = [await store.pathOf(replica('old')), await store.pathOf(replica('new'))];
    expect(before).not.toBe(after);
    expect(statSync(join(before!, 'model-1.safetensors')).size).toBe(3 * MIB);
    expect(statSync(join(after!, 'model-1.safetensors')).size).toBe(MIB);
  });

  it('are refused where the folder is missing or empty', async () => {
    await expect(openStore().ensure(replica('r', join(directory, 'none')), quiet())).rejects.toEqual(isOfKind('engine-failed'));
    mkdirSync(join(directory, 'empty'));
    await expect(openStore().ensure(replica('r', join(directory, 'empty')), quiet())).rejects.toThrow(/holds no files/);
  });

  it('are fetched once for two replicas, and the second says for whom it waits', async () => {
    const lines: string[] = [];
    const gate = new EventEmitter();
    const asked = once(gate, 'asked');
    const freeBytes = async () => {
      gate.emit('asked');
      await once(gate, 'open');
      return 1e12;
    };
    const first = openStore({ freeBytes }).ensure(replica('first'), quiet());
    await asked;
    const second = openStore().ensure(replica('second'), { ...quiet(), onProgress: ({ line }) => lines.push(line) });
    await expect.poll(() => lines).toContain('waits for the download of replica first');
    gate.emit('open');
    expect(await first).toMatch(/fetched in/);
    expect(await second).toMatch(/is in this host's cache/);
    expect(await openStore().pathOf(replica('second'))).toBe(await openStore().pathOf(replica('first')));
    expect(finished()).toHaveLength(1);
  });
});

describe('an interrupted copy', () => {
  const partialFile = () => {
    const [partial] = existsSync(join(cache, 'models')) ? readdirSync(join(cache, 'models')).filter((n) => n.endsWith('.partial')) : [];
    return partial && join(cache, 'models', partial, 'model', 'big.safetensors');
  };
  const sizeOf = (file: string | undefined) => (file && existsSync(file) ? statSync(file).size : 0);

  /** Copies in a process of its own, kills it in the middle, and returns how much is there. */
  async function killInTheMiddle(): Promise<number> {
    writeModel(source, { 'big.safetensors': randomBytes(192 * MIB) });
    utimesSync(join(source, 'big.safetensors'), 1000, 1000);
    const script = `
      import { createWeightStore } from ${JSON.stringify(new URL('./store.ts', import.meta.url).href)};
      const store = createWeightStore({ directory: ${JSON.stringify(cache)}, engineFile: (id) => id, hubCommand: ['hf'], stallMs: 60000, checkpointBytes: 4 * ${MIB} });
      await store.ensure(${JSON.stringify(replica('killed'))}, { signal: new AbortController().signal, onProgress() {} });`;
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: root, stdio: 'inherit' });
    await expect.poll(() => sizeOf(partialFile()), { interval: 1, timeout: 15_000 }).toBeGreaterThan(24 * MIB);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(finished()).toEqual([]);
    return sizeOf(partialFile());
  }

  it('goes on from the bytes that are there after a kill -9, and what is there is verified', async () => {
    const there = await killInTheMiddle();
    expect(there).toBeLessThan(192 * MIB);
    // The source's beginning changes and does not look it: only a copy that begins again would bring that along.
    const before = sha256(join(source, 'big.safetensors'));
    const content = readFileSync(join(source, 'big.safetensors'));
    writeFileSync(join(source, 'big.safetensors'), Buffer.concat([randomBytes(MIB), content.subarray(MIB)]));
    utimesSync(join(source, 'big.safetensors'), 1000, 1000);
    expect(await openStore().ensure(replica(), quiet())).toMatch(/of which \d+ MB were there/);
    expect(sha256(join((await openStore().pathOf(replica()))!, 'big.safetensors'))).toBe(before);
  });

  it('begins a file again whose bytes are not those that were written', async () => {
    await killInTheMiddle();
    const damaged = readFileSync(partialFile()!);
    damaged.fill(0, MIB, 2 * MIB);
    writeFileSync(partialFile()!, damaged);
    await openStore().ensure(replica(), quiet());
    expect(sha256(join((await openStore().pathOf(replica()))!, 'big.safetensors'))).toBe(sha256(join(source, 'big.safetensors')));
  });

  it('ends promptly when it is cancelled, and the next one goes on', async () => {
    writeModel(source, { 'big.safetensors': randomBytes(64 * MIB) });
    const cancel = new AbortController();
    const ended = openStore().ensure(replica(), { signal: cancel.signal, onProgress: () => {} });
    await expect.poll(() => sizeOf(partialFile()), { interval: 1 }).toBeGreaterThan(4 * MIB);
    cancel.abort(new Error('the rollout was aborted'));
    await expect(ended).rejects.toThrow('the rollout was aborted');
    expect(readdirSync(join(cache, 'locks'))).toEqual([]);
    expect(await openStore().ensure(replica(), quiet())).toMatch(/were there/);
  });
});

describe('room on the disk', () => {
  const roomFor = (bytes: number) => async () => KEPT_FREE_BYTES + bytes;

  it('is looked at first', async () => {
    const error = (await openStore({ freeBytes: roomFor(MIB) })
      .ensure(replica(), quiet())
      .catch((e: unknown) => e)) as UellmError;
    expect(error).toBeInstanceOf(UellmError);
    expect(error.detail).toMatchObject({ kind: 'disk-full', neededBytes: KEPT_FREE_BYTES + 3 * MIB + 4, freeBytes: KEPT_FREE_BYTES + MIB });
    expect(error.message).toMatch(/cache: 1\.1 GB are needed, 1\.1 GB are free$/);
  });

  it('is made by what was not asked for the longest and is in no use, and by nothing else', async () => {
    const folders = ['used', 'older', 'newer', 'wanted'].map((name) => join(directory, 'share', name));
    for (const folder of folders) cpSync(source, folder, { recursive: true });
    const [used, older, newer, wanted] = folders as [string, string, string, string];
    const store = openStore();
    for (const [i, folder] of [used, older, newer].entries()) {
      await store.ensure(replica(`of-${i}`, folder), quiet());
      const entry = dirname((await store.pathOf(replica(`of-${i}`, folder)))!);
      utimesSync(join(entry, 'manifest.json'), i + 1, i + 1);
      backdateUse(`of-${i}`);
    }
    mkdirSync(join(directory, 'engines'));
    writeFileSync(join(directory, 'engines', 'of-0.json'), '{}');
    // As a disk with room for three models would have it.
    const freeBytes = async () => KEPT_FREE_BYTES + (3 - finished().length) * 4 * MIB;
    expect(await openStore({ freeBytes }).ensure(replica('of-3', wanted), quiet())).toMatch(/fetched in/);
    const left = finished().map((name) => name.replace(/-\w{12}$/, ''));
    expect(left.sort()).toEqual(['newer', 'used', 'wanted']);
  });

  it('is not made at the cost of what was just fetched for an engine that is about to start', async () => {
    await openStore().ensure(replica('starting'), quiet());
    const other = join(directory, 'share', 'other');
    cpSync(source, other, { recursive: true });
    await expect(openStore({ freeBytes: roomFor(0) }).ensure(replica('r2', other), quiet())).rejects.toEqual(isOfKind('disk-full'));
    expect(finished()).toHaveLength(1);
  });

  function backdateUse(replicaId: string): void {
    const file = join(cache, 'uses', `${replicaId}.json`);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), sinceMs: 0 }));
  }
});

it('leaves the hub to the engine where there is no client, and says so', async () => {
  const store = openStore();
  const spec = { replicaId: 'r', source: 'hf://acme/tiny' };
  expect(await store.ensure(spec, quiet())).toBe(
    'there is no command no-such-hf on this host: the engine fetches hf://acme/tiny itself as it starts',
  );
  expect(await store.pathOf(spec)).toBeUndefined();
});
