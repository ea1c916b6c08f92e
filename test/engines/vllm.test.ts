import { expect, it } from 'vitest';
import { probeHealth } from '../../engines/openai.ts';
import { createVllmDriver } from '../../engines/vllm/driver.ts';
import { describeEngineContract } from './contract.ts';
import { until, untilReady } from './support.ts';
import { findVllm, tinyVllmSpec } from './vllm.ts';

const vllm = findVllm();

if ('skipped' in vllm) {
  it('real vLLM keeps the engine contract', (context) => context.skip(vllm.skipped));
} else {
  describeEngineContract({
    // In its developers' mode an engine can be told to sleep.
    driver: () => createVllmDriver({ command: vllm.command, env: { ...vllm.env, VLLM_SERVER_DEV_MODE: '1' } }),
    spec: (generation) => tinyVllmSpec(vllm, { generation }),
    readyWithinMs: 180_000,
    streamTokens: 1200,
    openai: true,

    whileItServes({ host, engine }) {
      it('asleep it answers /health all the same, and is not ready', { timeout: 120_000 }, async () => {
        const { endpoint } = engine();
        const post = async (path: string) => expect((await fetch(endpoint + path, { method: 'POST' })).status).toBe(200);
        await post('/sleep?level=1');
        try {
          await until(async () => (await host.health('demo-1')).state === 'loading', 'it is seen', 30_000);
          expect(await host.health('demo-1')).toMatchObject({ state: 'loading', detail: expect.stringContaining('asleep') });
          await expect(probeHealth(endpoint)).resolves.toBeUndefined();
        } finally {
          await post('/wake_up');
        }
        await untilReady(host, 'demo-1', 60_000);
      });
    },

    async whileItEnds({ endpoint }) {
      // It says that it is well and refuses what comes: routing must have stopped before.
      await expect(probeHealth(endpoint)).resolves.toBeUndefined();
    },
  });
}
