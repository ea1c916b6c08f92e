/** Weights by the hub's own client, the one in vLLM's environment, from a hub that speaks as much of the API as it needs. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allPids, isRunning, processStartTime } from '../../engines/process-identity.ts';
import { createVllmDriver } from '../../engines/vllm/driver.ts';
import { createWeightStore } from '../../engines/weights/store.ts';
import { type FakeHub, startFakeHub } from './fake-hub.ts';
import { engineSpec } from './support.ts';
import { findVllm } from './vllm.ts';

const vllm = findVllm();
const skipped = 'skipped' in vllm ? vllm.skipped : undefined;
const hf = 'skipped' in vllm ? 'hf' : join(dirname(vllm.command[0]!), 'hf');
const TOKEN = 'hf_of_this_host';

const FILES = {
  'config.json': Buffer.from('{"architectures":["LlamaForCausalLM"]}'),
  'model-00001.safetensors': randomBytes(2_000_000),
  'model-00002.safetensors': randomBytes(3_000_000),
  'original/consolidated.00.pth': randomBytes(4_000_000),
  'pytorch_model.bin': randomBytes(4_000_000),
  '.gitattributes': Buffer.from('*.safetensors filter=lfs'),
};

describe.skipIf(skipped)(`weights from the hub${skipped ? ` (${skipped})` : ''}`, () => {
  let directory: string;
  let hub: FakeHub;
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'uellm-hub-'));
    hub = await startFakeHub('acme/tiny', FILES);
  });
  afterEach(async () => {
    await hub.close();
    rmSync(directory, { recursive: true });
  });

  const environment = () => ({
    ...process.env,
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: TOKEN,
    HF_HOME: join(directory, 'hf'),
    HF_HUB_OFFLINE: '',
  });
  const options = () => ({ directory: join(directory, 'cache'), hubCommand: [hf], stallMs: 60_000 });
  const openStore = () =>
    createWeightStore({
      ...options(),
      engineFile: (id) => join(directory, `${id}.json`),
      env: environment(),
      logger: pino({ level: 'silent' }),
    });
  const replica = (replicaId = 'r1', source = 'hf://acme/tiny') => ({ replicaId, source });
  const quiet = () => ({ signal: new AbortController().signal, onProgress: () => {} });
  const downloadsOf = (file: string) => hub.requests.filter(({ line }) => line.startsWith('GET') && line.endsWith(file)).length;

  it('come by its client with the token of this host, at the commit that the revision is, and only in the format that engines load', async () => {
    const lines: string[] = [];
    const detail = await openStore().ensure(replica(), { ...quiet(), onProgress: ({ line }) => lines.push(line) });
    expect(detail).toMatch(new RegExp(`^acme/tiny at commit ${hub.commit}: 5 MB fetched in \\d+ s, checked by SHA-256$`));
    expect(lines.some((line) => /^downloads acme\/tiny: .* of 5 MB/.test(line))).toBe(true);
    expect(hub.requests.some(({ authorization }) => authorization === `Bearer ${TOKEN}`)).toBe(true);
    expect([detail, ...lines].join()).not.toContain(TOKEN);

    const weightsPath = (await openStore().pathOf(replica()))!;
    expect(readdirSync(weightsPath).sort()).toEqual(['config.json', 'model-00001.safetensors', 'model-00002.safetensors']);
    for (const name of readdirSync(weightsPath) as (keyof typeof FILES)[])
      expect(readFileSync(join(weightsPath, name)).equals(FILES[name])).toBe(true);
    const spec = engineSpec({ engine: 'vllm', source: 'hf://acme/tiny', weightsPath });
    const { args } = await createVllmDriver().launch(spec, { address: '127.0.0.1', port: 1 });
    expect(args.slice(args.indexOf('--model'))[1]).toBe(weightsPath);
  });

  it('come once for two replicas, and again beside the first copy when the revision is another commit', async () => {
    const both = await Promise.all([openStore().ensure(replica('r1'), quiet()), openStore().ensure(replica('r2'), quiet())]);
    expect(both.filter((detail) => /fetched in/.test(detail))).toHaveLength(1);
    expect(downloadsOf('model-00001.safetensors')).toBe(1);
    hub.commit = 'b'.repeat(40);
    expect(await openStore().ensure(replica('r3'), quiet())).toMatch(/at commit b{40}: 5 MB fetched/);
    expect(await openStore().pathOf(replica('r3'))).not.toBe(await openStore().pathOf(replica('r1')));
    expect(await openStore().ensure(replica('r4', `hf://acme/tiny@${hub.commit}`), quiet())).toMatch(/is in this host's cache since/);
  });

  it('are the newest copy where the hub does not answer', async () => {
    await openStore().ensure(replica(), quiet());
    hub.down = true;
    expect(await openStore().ensure(replica('r2'), quiet())).toMatch(
      /^the hub does not answer; acme\/tiny at commit a{40} is in this host's cache/,
    );
    await expect(openStore().ensure(replica('r3', 'hf://acme/other'), quiet())).rejects.toMatchObject({ detail: { kind: 'unavailable' } });
  });

  it('that the hub does not know, or not at that revision, are refused for good', async () => {
    for (const source of ['hf://acme/none', 'hf://acme/tiny@v9'])
      await expect(openStore().ensure(replica('r', source), quiet())).rejects.toMatchObject({ detail: { kind: 'engine-failed' } });
  });

  it('that are not what the hub says they are do not enter the cache, and come again', async () => {
    const file = 'model-00001.safetensors';
    hub.corrupt.set(file, Buffer.alloc(FILES[file].length, 1));
    await expect(openStore().ensure(replica(), quiet())).rejects.toThrow(
      /model-00001.safetensors is unavailable: .* not what the hub says/,
    );
    expect(await openStore().pathOf(replica())).toBeUndefined();
    hub.corrupt.clear();
    expect(await openStore().ensure(replica(), quiet())).toMatch(/fetched in/);
    expect(downloadsOf('model-00002.safetensors')).toBe(1); // the sound one was kept
    expect(readFileSync(join((await openStore().pathOf(replica()))!, file)).equals(FILES[file])).toBe(true);
  });

  it('end their client when they are cancelled, and go on with the files that are there', async () => {
    hub.pauseMs = 20;
    const cancel = new AbortController();
    const ended = openStore().ensure(replica(), { ...quiet(), signal: cancel.signal });
    ended.catch(() => {});
    await expect.poll(() => isWhole('model-00001.safetensors'), { timeout: 20_000, interval: 10 }).toBe(true);
    cancel.abort(new Error('the rollout was aborted'));
    await expect(ended).rejects.toThrow('the rollout was aborted');
    expect(clientsRunning()).toEqual([]);
    hub.pauseMs = 0;
    expect(await openStore().ensure(replica(), quiet())).toMatch(/of which \d MB were there/);
    expect(downloadsOf('model-00001.safetensors')).toBe(1);
  });

  it('go on after a host worker was killed, whose client is ended first', async () => {
    hub.pauseMs = 20;
    const script = `
      import { createWeightStore } from ${JSON.stringify(new URL('../../engines/weights/store.ts', import.meta.url).href)};
      const store = createWeightStore({ ...${JSON.stringify(options())}, engineFile: (id) => id });
      await store.ensure(${JSON.stringify(replica('killed'))}, { signal: new AbortController().signal, onProgress() {} });`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const worker = spawn(process.execPath, args, { cwd: root, env: environment(), stdio: 'ignore' });
    await expect.poll(() => isWhole('model-00001.safetensors'), { timeout: 30_000, interval: 10 }).toBe(true);
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    const orphans = clientsRunning();
    expect(orphans).toHaveLength(1);
    hub.pauseMs = 0;
    expect(await openStore().ensure(replica(), quiet())).toMatch(/fetched in .*, of which \d MB were there/);
    expect(orphans.some(isRunning)).toBe(false);
    expect(downloadsOf('model-00001.safetensors')).toBe(1);
    const weights = (await openStore().pathOf(replica()))!;
    expect(readFileSync(join(weights, 'model-00002.safetensors')).equals(FILES['model-00002.safetensors'])).toBe(true);
  });

  function isWhole(file: keyof typeof FILES): boolean {
    const models = join(directory, 'cache', 'models');
    const [partial] = existsSync(models) ? readdirSync(models) : [];
    return partial !== undefined && existsSync(join(models, partial, 'model', file));
  }

  /** Downloads into this test's folder, by pid. */
  function clientsRunning(): { pid: number; startTime: string }[] {
    return allPids().flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes('\0download\0') && command.includes(directory) ? [{ pid, startTime: processStartTime(pid) ?? '' }] : [];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  }
});
