/** A real deployment on real vLLM, through the public face: deploy, stream, drain under load. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { streamCompletion } from '../../engines/openai.ts';
import { type Cluster, readyReplicas, startCluster } from '../support/cluster.ts';
import { drained } from '../support/drained.ts';
import { startLoad } from '../support/load.ts';
import { findVllm, type RealVllm, TINY_VLLM_ARGS } from './vllm.ts';

const MODEL = 'tiny';
const EMBEDDER = 'embedder';
const vllm = findVllm();

if ('skipped' in vllm) it('a deployment on real vLLM', (context) => context.skip(vllm.skipped));
else deployment(vllm);

function deployment({ command, env, modelDir }: RealVllm) {
  let cluster: Cluster;

  beforeAll(async () => {
    Object.assign(process.env, env); // what the host worker's environment holds, its engines inherit
    const config = JSON.parse(readFileSync(join(modelDir, 'config.json'), 'utf8')) as Record<string, unknown>;
    cluster = await startCluster({
      hosts: ['h1', 'h2'],
      env: { UELLM_VLLM_COMMAND: command.join(' ') },
      objects: [
        ...['h1', 'h2'].map((name) => ({ kind: 'Host' as const, name, accelerators: [{ kind: 'T4', count: 1 }] })),
        { kind: 'Model', name: MODEL, source: pathToFileURL(modelDir).href, config },
        {
          ...{
            kind: 'Deployment',
            name: MODEL,
            model: MODEL,
            replicas: { min: 1, max: 1 },
            engine: { kind: 'vllm', args: TINY_VLLM_ARGS },
          },
          demand: { requestsPerSecond: 1, inputTokens: 50, outputTokens: 50 },
        },
        {
          ...{ kind: 'Deployment', name: EMBEDDER, model: MODEL, replicas: { min: 1, max: 1 } },
          engine: { kind: 'vllm', args: { ...TINY_VLLM_ARGS, runner: 'pooling', convert: 'embed' } },
          demand: { requestsPerSecond: 1, inputTokens: 50, outputTokens: 1 },
        },
      ],
    });
  });
  afterAll(() => cluster?.close());

  const ready = () => readyReplicas(cluster);

  describe('a deployment on real vLLM', () => {
    it('is deployed, with its step time calibrated on the live engine', async () => {
      const rollout = await cluster.deploy(MODEL, 240_000);
      expect(rollout.status).toMatchObject({ phase: 'succeeded' });
      expect(await ready()).toMatchObject([{ engine: 'vllm', simulated: false }]);
      console.log(rollout.status.stages.map((s) => `${s.stage}: ${s.detail}`).join('\n'));
    });

    it('streams through the gateway', async () => {
      await expect
        .poll(
          () =>
            streamCompletion(cluster.gatewayUrl, {
              model: MODEL,
              messages: [{ role: 'user', content: 'hello' }],
              maxTokens: 16,
              ignoreEos: true,
            }).catch(String),
          { timeout: 10_000 },
        )
        .toMatchObject({ outputTokens: 16, finishReason: 'length' });
    });

    it('is drained under streaming load with nothing dropped', async () => {
      const [before] = await ready();
      const load = startLoad(cluster.gatewayUrl, MODEL, { clients: 2, tokens: 200, pauseMs: 1000 });
      await cluster.api('POST', `/hosts/${before!.host}/drain`);
      const receipt = await drained(cluster, before!.host, 280_000);
      await load.stop();
      expect(load.failures()).toEqual([]);
      expect(load.finished()).toBeGreaterThan(4);
      expect(receipt).toMatchObject({ requestsDropped: 0, moved: [{ replicaId: before!.id }] });
      const [after] = await ready();
      expect(after!.host).not.toBe(before!.host);
      console.log(`${load.finished()} streams ended with [DONE] over the drain of ${before!.host} in ${receipt.seconds.toFixed(1)} s`);
    });

    it('embeds, where its flags say so', async () => {
      await cluster.api('POST', '/hosts/h1/uncordon');
      await cluster.api('POST', '/hosts/h2/uncordon');
      const rollout = await cluster.deploy(EMBEDDER, 240_000);
      expect(rollout.status).toMatchObject({ phase: 'succeeded' });
      const ask = (path: string, body: object) =>
        fetch(`${cluster.gatewayUrl}/v1/${path}`, { method: 'POST', body: JSON.stringify({ model: EMBEDDER, ...body }) });
      await expect.poll(async () => (await ask('embeddings', { input: 'a text' })).status, { timeout: 10_000 }).toBe(200);
      const { data } = (await (await ask('embeddings', { input: ['a text', 'another text'] })).json()) as {
        data: { embedding: number[] }[];
      };
      expect(data.map(({ embedding }) => embedding.length)).toEqual([128, 128]);
      expect((await ask('completions', { prompt: 'a text' })).status).toBe(404);
    });
  });
}
