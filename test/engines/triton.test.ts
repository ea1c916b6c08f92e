import { existsSync } from 'node:fs';
import { chmod, cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineHost } from '../../engines/host.ts';
import { tritonMetricsUrl } from '../../engines/triton/endpoint.ts';
import { modelVersions } from '../../engines/triton/server.ts';
import { describeEngineContract } from './contract.ts';
import { type TestHosts, testHosts, until, untilReady } from './support.ts';
import { findTriton, type RealTriton, tritonDriver, tritonSpec } from './triton.ts';

const triton = findTriton();
const READY_MS = 60_000;

if ('skipped' in triton) {
  it('real Triton keeps the engine contract', (context) => context.skip(triton.skipped));
} else {
  describeEngineContract({
    driver: (directory) => tritonDriver(triton, directory),
    spec: (generation) => tritonSpec({}, { generation }),
    readyWithinMs: READY_MS,
    streamTokens: 400,
    openai: false,
    async whileItEnds({ endpoint }) {
      // Unlike vLLM it does not even answer whether it lives; its metrics go on.
      const silent = () =>
        fetch(`${endpoint}/v2/health/live`).then(
          () => false,
          () => true,
        );
      await until(silent, 'it answers nothing');
      expect((await fetch(tritonMetricsUrl(endpoint))).status).toBe(200);
    },
  });
  describeReload(triton);
  describeTraps(triton);
}

function describeReload(installed: RealTriton): void {
  describe('reloading real Triton', () => {
    let hosts: TestHosts;
    let host: EngineHost;
    beforeEach(() => {
      hosts = testHosts();
      host = hosts.open([tritonDriver(installed, hosts.directory)]);
    });
    afterEach(() => hosts.end());
    const versions = async () => {
      const [engine] = await host.list();
      return (await modelVersions(engine!.endpoint, 'demo')).map(({ version, state }) => `${version} ${state}`);
    };

    it('under streaming load no request fails, new ones are served by the new version, and the old one goes', async () => {
      const { endpoint, pid } = await host.start(tritonSpec({ 'step-ms': 20 }));
      await untilReady(host, 'demo-1', READY_MS);
      const load = streamingLoad(endpoint, 4);
      await until(() => load.versions.length > 4, 'it streams', 30_000);
      const long = generate(endpoint, 300);
      await until(async () => (await runningOn(endpoint)) >= 5, 'the long stream runs', 30_000);
      expect((await host.reload(tritonSpec({ 'step-ms': 10 }, { generation: 2 }))).pid).toBe(pid);
      const before = load.versions.length;
      expect(await versions()).toEqual(['1 UNLOADING', '2 READY']);
      expect(await long).toEqual({ version: '1', finishReason: 'length' });
      await until(async () => (await versions())[0] === '1 UNAVAILABLE', 'the old version goes', 30_000);
      await until(() => load.versions.length > before + 8, 'it streams on', 30_000);
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(new Set(load.versions)).toEqual(new Set(['1', '2']));
      expect(load.versions.slice(before + 4)).not.toContain('1');
      // The process carries the mark of the generation that launched it; it is no orphan.
      const successor = hosts.open([tritonDriver(installed, hosts.directory)]);
      expect((await successor.start(tritonSpec({ 'step-ms': 10 }, { generation: 2 }))).pid).toBe(pid);
      await expect(successor.reload(tritonSpec())).rejects.toThrow(/generation 1 is older than 2/);
      await expect(successor.stop('demo-1', 1)).rejects.toThrow(/generation 1 is older than 2/);
      expect(await successor.stop('demo-1', 2)).toEqual({ requestsDropped: 0 });
      await expect(successor.reload(tritonSpec({}, { generation: 2 }))).rejects.toThrow(/was stopped on this host/);
    });

    it('asked twice, loads once', async () => {
      await host.start(tritonSpec());
      await untilReady(host, 'demo-1', READY_MS);
      const next = tritonSpec({ 'step-ms': 10 }, { generation: 2 });
      await Promise.all([host.reload(next), host.reload(next)]);
      expect(await host.reload(next)).toMatchObject({ spec: { generation: 2 }, launchedGeneration: 1 });
      await until(async () => (await versions())[0] === '1 UNAVAILABLE', 'the old version goes', 30_000);
      expect(await versions()).toEqual(['1 UNAVAILABLE', '2 READY']);
    });

    it('of what cannot be loaded says why, and what served before goes on serving, as its own generation', async () => {
      const { endpoint } = await host.start(tritonSpec());
      await untilReady(host, 'demo-1', READY_MS);
      const bad = tritonSpec({ 'fail-to-load': 'no room for its KV cache' }, { generation: 2 });
      await expect(host.reload(bad)).rejects.toThrow(/no room for its KV cache[\s\S]*what it served before it still serves/);
      expect(await generate(endpoint, 2)).toEqual({ version: '1', finishReason: 'length' });
      expect(await host.health('demo-1')).toEqual({ state: 'ready' });
      expect(await host.stop('demo-1', 1)).toEqual({ requestsDropped: 0 });
    });

    it('needs a process that runs, and the accelerators that it has', async () => {
      await expect(host.reload(tritonSpec({}, { generation: 2 }))).rejects.toThrow(/demo-1/);
      await host.start(tritonSpec());
      await expect(host.reload(tritonSpec({}, { generation: 2, accelerators: [1] }))).rejects.toThrow(/cannot be loaded into the process/);
    });
  });
}

/** Measured on Triton 2.51: each of these has cost someone a night. */
function describeTraps(installed: RealTriton): void {
  describe('traps of real Triton', () => {
    let hosts: TestHosts;
    beforeEach(() => {
      hosts = testHosts();
    });
    afterEach(() => hosts.end());

    it('a load that fails is told at once, in its own words', async () => {
      const host = hosts.open([tritonDriver(installed, hosts.directory)]);
      await host.start(tritonSpec({ 'fail-to-load': 'no such weights' }));
      await until(async () => (await host.health('demo-1')).state === 'failed', 'it fails', READY_MS);
      expect(await host.health('demo-1')).toMatchObject({ detail: expect.stringContaining('no such weights') });
      // Asked by another worker, which did not see it fail.
      const successor = hosts.open([tritonDriver(installed, hosts.directory)]);
      expect(await successor.health('demo-1')).toMatchObject({ state: 'failed', detail: expect.stringContaining('no such weights') });
    });

    it('a stub that cannot start leaves the model loading for ever: a deadline says so, and the server is killed', async () => {
      const backends = join(hosts.directory, 'backends');
      await cp(installed.backends, backends, { recursive: true, verbatimSymlinks: true });
      const stub = join(backends, 'python', 'triton_python_backend_stub');
      await writeFile(stub, '#!/bin/sh\necho libpython is not to be found >&2\nexit 127\n');
      await chmod(stub, 0o755);
      const command = [...installed.command.slice(0, -1), `--backend-directory=${backends}`];
      const host = hosts.open([tritonDriver({ ...installed, command }, hosts.directory, { loadTimeoutSeconds: 4 })]);
      await host.start(tritonSpec());
      await until(async () => (await host.health('demo-1')).state === 'failed', 'it is given up', READY_MS);
      const detail = expect.stringMatching(/has not loaded within 4 s \(version 1 is LOADING\)[\s\S]*libpython is not to be found/);
      expect(await host.health('demo-1')).toMatchObject({ detail });
      expect(await host.stop('demo-1', 1, { graceSeconds: 1 })).toEqual({ requestsDropped: 0 });
    });

    it('a model that the server does not know is a failure (it answers 500), not a wait', async () => {
      const host = hosts.open([tritonDriver(installed, hosts.directory)]);
      await host.start(tritonSpec());
      await rm(join(hosts.directory, 'triton', 'demo-1', 'demo'), { recursive: true });
      await until(async () => (await host.health('demo-1')).state === 'failed', 'it fails', READY_MS);
      expect(await host.health('demo-1')).toMatchObject({ detail: expect.stringContaining("failed to load 'demo'") });
    });

    it('unloaded under a running stream it is UNLOADING and not ready, the stream ends, and then it is loaded again', async () => {
      const host = hosts.open([tritonDriver(installed, hosts.directory)]);
      const { endpoint } = await host.start(tritonSpec({ 'step-ms': 20 }));
      await untilReady(host, 'demo-1', READY_MS);
      const stream = generate(endpoint, 150);
      await until(async () => (await runningOn(endpoint)) === 1, 'the stream runs', 30_000);
      await fetch(`${endpoint}/v2/repository/models/demo/unload`, { method: 'POST' });
      expect(await host.health('demo-1')).toEqual({ state: 'loading', detail: 'version 1 is UNLOADING' });
      await expect(generate(endpoint, 1)).rejects.toThrow(/no available versions/);
      expect(await stream).toEqual({ version: '1', finishReason: 'length' });
      await untilReady(host, 'demo-1', READY_MS);
    });

    it('plain generate is an error for a model that streams: generate_stream is used', async () => {
      const driver = tritonDriver(installed, hosts.directory);
      const host = hosts.open([driver]);
      const { endpoint } = await host.start(tritonSpec());
      await untilReady(host, 'demo-1', READY_MS);
      const body = JSON.stringify({ text_input: 'hello', stream: true, sampling_parameters: '{"max_tokens":3}' });
      const answer = await fetch(`${endpoint}/v2/models/demo/generate`, { method: 'POST', body });
      expect(await answer.text()).toContain('expects model to produce exactly 1 response');
      const streamed = await driver.stream(endpoint, { model: 'demo', prompt: 'hello', maxTokens: 3, ignoreEos: true });
      expect(streamed).toMatchObject({ inputTokens: 1, outputTokens: 3, finishReason: 'length' });
      await expect(driver.stream(endpoint, { model: 'demo', prompt: 'hello', maxTokens: -1 })).rejects.toThrow(
        /answers 400 Error generating/,
      );
      await expect(driver.stream(endpoint, { model: 'other', prompt: 'hello', maxTokens: 1 })).rejects.toThrow(/unknown model: 'other'/);
      // What is written loads without us, too: by hand, and by a server that is started on it.
      expect(existsSync(join(hosts.directory, 'triton', 'demo-1', 'demo', 'config.pbtxt'))).toBe(true);
      expect((await fetch(`${endpoint}/v2/repository/models/demo/load`, { method: 'POST' })).status).toBe(200);
    });
  });
}

/** Streams an answer to its end. @throws unless it has one */
async function generate(endpoint: string, tokens: number): Promise<{ version: string; finishReason: string }> {
  const sampling = JSON.stringify({ max_tokens: tokens, ignore_eos: true });
  const body = JSON.stringify({ text_input: 'hello', stream: true, sampling_parameters: sampling, return_finish_reason: true });
  const answer = await fetch(`${endpoint}/v2/models/demo/generate_stream`, { method: 'POST', body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  const last = JSON.parse(text.trimEnd().split('\n').at(-1)!.slice('data: '.length)) as Record<string, string>;
  if (last.error || last.finish_reason === 'None') throw new Error(JSON.stringify(last));
  return { version: last.model_version!, finishReason: last.finish_reason! };
}

/** Clients that never stop asking; the versions that answered, and what failed. */
function streamingLoad(endpoint: string, clients: number) {
  const versions: string[] = [];
  const failures: string[] = [];
  let stopping = false;
  const work = Array.from({ length: clients }, async () => {
    while (!stopping) {
      const answer = await generate(endpoint, 30).catch((error: unknown) => failures.push(String(error)));
      if (typeof answer === 'object') versions.push(answer.version);
    }
  });
  const stop = async () => {
    stopping = true;
    await Promise.all(work);
  };
  return { versions, failures, stop };
}

async function runningOn(endpoint: string): Promise<number> {
  const text = await (await fetch(tritonMetricsUrl(endpoint))).text();
  return [...text.matchAll(/^vllm:num_requests_running\{.*\} (\d+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}
