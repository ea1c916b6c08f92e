import { it } from 'vitest';
import { createVllmDriver } from '../../engines/vllm/driver.ts';
import { describeEngineContract } from './contract.ts';
import { findVllm, tinyVllmSpec } from './vllm.ts';

const vllm = findVllm();

if ('skipped' in vllm) {
  it('real vLLM keeps the engine contract', (context) => context.skip(vllm.skipped));
} else {
  describeEngineContract({
    driver: () => createVllmDriver({ command: vllm.command, env: vllm.env }),
    spec: (generation) => tinyVllmSpec(vllm, { generation }),
    readyWithinMs: 180_000,
    streamTokens: 1200,
  });
}
