/** A real deployment on real Triton, through the public face: deploy, stream, drain under load; and a Triton that someone else runs. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CompletionRequest, streamCompletion } from '../../engines/openai.ts';
import { type Cluster, type ReplicaView, readyReplicas, startCluster } from '../support/cluster.ts';
import { drained } from '../support/drained.ts';
import { startLoad } from '../support/load.ts';
import { testHosts, untilReady } from './support.ts';
import { findTriton, MODEL_FILE, type RealTriton, tritonDriver, tritonSpec } from './triton.ts';

const triton = findTriton();
const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  ...{
    num_hidden_layers: 2,
    hidden_size: 128,
    intermediate_size: 256,
    num_attention_heads: 2,
    vocab_size: 1024,
    max_position_embeddings: 4096,
  },
};
const TOKENIZER = {
  chat_template:
    '{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}',
  ...{ bos_token: '<s>', eos_token: '</s>' },
};

const LONG: CompletionRequest = { model: 'chat-t', prompt: 'sea '.repeat(500), maxTokens: 4, ignoreEos: true };

if ('skipped' in triton) it('a deployment on real Triton', (context) => context.skip(triton.skipped));
else deployment(triton);

function deployment(installed: RealTriton) {
  const modelDir = mkdtempSync(join(tmpdir(), 'uellm-model-'));
  writeFileSync(join(modelDir, 'config.json'), JSON.stringify(CONFIG));
  writeFileSync(join(modelDir, 'tokenizer_config.json'), JSON.stringify(TOKENIZER));
  const elsewhere = testHosts();
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({
      hosts: ['h1', 'h2'],
      env: { UELLM_TRITON_COMMAND: installed.command.join(' ') },
      objects: [
        ...['h1', 'h2'].map((name) => ({ kind: 'Host' as const, name, accelerators: [{ kind: 'T4', count: 1 }] })),
        ...['chat', 'foreign'].map((name) => ({ kind: 'Model' as const, name, source: pathToFileURL(modelDir).href, config: CONFIG })),
        {
          ...{ kind: 'Deployment', name: 'chat-t', model: 'chat', replicas: { min: 1, max: 1 } },
          engine: { kind: 'triton', args: { backend: 'python', 'model-file': MODEL_FILE, 'max-num-seqs': 16 } },
          demand: { requestsPerSecond: 1, inputTokens: 50, outputTokens: 50 },
        },
      ],
    });
  });
  afterAll(async () => {
    await cluster?.close();
    await elsewhere.end();
    rmSync(modelDir, { recursive: true });
  });

  const ready = () => readyReplicas(cluster);
  const stream = (request: CompletionRequest) => streamCompletion(cluster.gatewayUrl, request);

  describe('a deployment on real Triton', () => {
    it('is deployed, with its step time calibrated through generate_stream', async () => {
      const rollout = await cluster.deploy('chat-t', 120_000);
      expect(rollout.status).toMatchObject({ phase: 'succeeded' });
      expect(await ready()).toMatchObject([{ engine: 'triton', simulated: false }]);
      expect(JSON.stringify(rollout.status.stages)).toContain('step time fitted');
    });

    it("streams chats, written by the model's own template, and text through the gateway", async () => {
      const messages = [{ role: 'user' as const, content: 'hello' }];
      await expect
        .poll(() => stream({ model: 'chat', messages, maxTokens: 16, ignoreEos: true }).catch(String), { timeout: 10_000 })
        .toMatchObject({ outputTokens: 16, finishReason: 'length' });
      const chat = await stream({ model: 'chat-t', messages, maxTokens: 8, ignoreEos: true });
      // The engine itself begins every text with the model's first token: it is not sent.
      const written = await stream({ model: 'chat-t', prompt: '[user] hello [assistant]', maxTokens: 8, ignoreEos: true });
      expect(chat).toMatchObject({ text: written.text, inputTokens: written.inputTokens, outputTokens: 8 });
    });

    describe('reloads', () => {
      const declare = async (args: Record<string, unknown>, soakSeconds: number) => {
        const { status: _, ...spec } = await cluster.api<Record<string, unknown>>('GET', '/deployments/chat-t');
        const engine = { kind: 'triton', args: { backend: 'python', 'model-file': MODEL_FILE, 'max-num-seqs': 16, ...args } };
        await cluster.api('PUT', '/deployments/chat-t', { ...spec, engine, rollout: { strategy: 'reload', soakSeconds } });
      };
      const newestRollout = async () => JSON.stringify((await cluster.api<{ items: unknown[] }>('GET', '/rollouts')).items[0]);
      /** What streams through the gateway while `work` runs, none of which may fail. */
      const underLoad = async <T>(work: () => Promise<T>): Promise<T> => {
        const load = startLoad(cluster.gatewayUrl, 'chat', { clients: 3, tokens: 60, pauseMs: 50 });
        try {
          await expect.poll(() => load.finished(), { timeout: 20_000 }).toBeGreaterThan(2);
          const result = await work();
          const finished = load.finished();
          await expect.poll(() => load.finished(), { timeout: 20_000 }).toBeGreaterThan(finished + 5);
          return result;
        } finally {
          await load.stop();
          expect(load.failures()).toEqual([]);
          console.log(`${load.finished()} streams ended with [DONE]`);
        }
      };

      it('a new revision into the engine that runs, while it streams and its host worker is killed', async () => {
        const [before] = await ready();
        await declare({ 'load-seconds': 5 }, 1);
        const rollout = await underLoad(async () => {
          const rolling = cluster.deploy('chat-t', 120_000);
          await expect.poll(newestRollout, { timeout: 30_000 }).toContain('"stage":"canary"');
          await cluster.killRole('host');
          await cluster.startRole('host');
          return rolling;
        });
        expect(rollout.status, JSON.stringify(rollout.status)).toMatchObject({ phase: 'succeeded' });
        const [{ generation, ...after }] = (await ready()) as [ReplicaView];
        expect(after).toMatchObject({
          id: before!.id,
          host: before!.host,
          revision: before!.revision + 1,
          accelerators: before!.accelerators,
        });
        expect(generation).toBe(before!.generation + 5);
      });

      it('nothing that cannot be loaded: the old one serves on', async () => {
        const [before] = await ready();
        await declare({ 'fail-to-load': 'no room for its KV cache' }, 1);
        const rollout = await underLoad(() => cluster.deploy('chat-t', 120_000));
        expect(rollout.status).toMatchObject({ phase: 'rolled-back', reason: expect.stringContaining('no room for its KV cache') });
        const { id, revision, generation } = before!;
        expect(await ready()).toMatchObject([{ id, revision, generation }]);
      });

      it('the old one again where it is aborted after the switch', async () => {
        const [before] = await ready();
        await declare({ 'max-model-len': 400 }, 600);
        const rollout = await underLoad(async () => {
          const rolling = cluster.deploy('chat-t', 120_000);
          await expect.poll(async () => (await ready())[0]?.revision, { timeout: 60_000 }).toBeGreaterThan(before!.revision);
          await expect(stream(LONG)).rejects.toThrow(/longer than the maximum model length of 400/);
          const [newest] = (await cluster.api<{ items: { id: string }[] }>('GET', '/rollouts')).items;
          await cluster.api('POST', `/rollouts/${newest!.id}/abort`, { reason: 'a test' });
          return rolling;
        });
        expect(rollout.status).toMatchObject({ phase: 'rolled-back', reason: expect.stringContaining('a test') });
        const { id, revision } = before!;
        expect(await ready()).toMatchObject([{ id, revision }]);
        expect(await stream(LONG)).toMatchObject({ outputTokens: 4 });
      });

      it('the old one again where it is aborted while the new one loads, in the same process', async () => {
        const [before] = await ready();
        await declare({ 'max-model-len': 400, 'load-seconds': 12 }, 1);
        const rollout = await underLoad(async () => {
          const rolling = cluster.deploy('chat-t', 120_000);
          await expect.poll(newestRollout, { timeout: 30_000 }).toContain('"stage":"canary"');
          await delay(2000);
          const [newest] = (await cluster.api<{ items: { id: string }[] }>('GET', '/rollouts')).items;
          await cluster.api('POST', `/rollouts/${newest!.id}/abort`, { reason: 'a test' });
          return rolling;
        });
        expect(rollout.status).toMatchObject({ phase: 'rolled-back' });
        const { id, revision, generation, endpoint } = before!;
        expect(await ready()).toMatchObject([{ id, revision, generation: generation + 10, endpoint }]);
        expect(await stream(LONG)).toMatchObject({ outputTokens: 4 });
      });

      it('the old one again where the engine ends in the middle, whoever starts it', async () => {
        const [before] = await ready();
        await declare({ 'max-model-len': 400, 'load-seconds': 10 }, 1);
        const rolling = cluster.deploy('chat-t', 180_000);
        await expect.poll(newestRollout, { timeout: 60_000 }).toContain('"stage":"canary"');
        await delay(2000); // it loads, and Triton tells nobody
        killServer(before!.endpoint);
        expect((await rolling).status).toMatchObject({ phase: 'rolled-back', stage: 'canary' });
        const { id, revision } = before!;
        await expect.poll(ready, { timeout: 60_000 }).toMatchObject([{ id, revision }]);
        await expect.poll(() => stream(LONG).catch(String), { timeout: 20_000 }).toMatchObject({ outputTokens: 4 });
      });
    });

    it('is drained under streaming load with nothing dropped', async () => {
      const [before] = await ready();
      const load = startLoad(cluster.gatewayUrl, 'chat', { clients: 3, tokens: 100, pauseMs: 100 });
      await cluster.api('POST', `/hosts/${before!.host}/drain`);
      const receipt = await drained(cluster, before!.host, 120_000);
      await load.stop();
      expect(load.failures()).toEqual([]);
      expect(load.finished()).toBeGreaterThan(4);
      expect(receipt).toMatchObject({ requestsDropped: 0, moved: [{ replicaId: before!.id }] });
      expect((await ready())[0]!.host).not.toBe(before!.host);
      console.log(`${load.finished()} streams ended with [DONE] over the drain of ${before!.host} in ${receipt.seconds.toFixed(1)} s`);
    });
  });

  it('a Triton that someone else runs is routed to and measured, and outlives its host object', { timeout: 120_000 }, async () => {
    const theirs = elsewhere.open([tritonDriver(installed, elsewhere.directory)]);
    const { endpoint } = await theirs.start(tritonSpec({}, { deployment: 'foreign' }));
    await untilReady(theirs, 'demo-1', 60_000);
    const external = { endpoints: [{ url: endpoint, model: 'foreign', engine: 'triton', args: { 'max-num-seqs': 8 } }] };
    await cluster.api('POST', '/hosts', { name: 'theirs', accelerators: [{ kind: 'T4', count: 1 }], external });
    const request = { model: 'foreign', prompt: 'hello', maxTokens: 5, ignoreEos: true };
    await expect.poll(() => stream(request).catch(String), { timeout: 20_000 }).toMatchObject({ outputTokens: 5, finishReason: 'length' });
    await expect(cluster.api('POST', '/hosts/theirs/drain')).rejects.toThrow(/409.*is external/);
    await cluster.api('DELETE', '/hosts/theirs');
    await expect
      .poll(
        () =>
          stream(request).then(
            () => 'answers',
            () => 'refused',
          ),
        { timeout: 20_000 },
      )
      .toBe('refused');
    expect(await theirs.health('demo-1')).toEqual({ state: 'ready' });
    expect(await theirs.list()).toMatchObject([{ generation: 1, state: 'running' }]);
  });
}

/** SIGKILL to the server that listens there, and to what started it. */
function killServer(endpoint: string): void {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  const servers = lines.filter((line) => line.includes(`--http-port=${new URL(endpoint).port} `));
  if (servers.length === 0) throw new Error(`no Triton at ${endpoint}`);
  for (const line of servers) process.kill(Number(line.trim().split(' ')[0]), 'SIGKILL');
}
