import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../core/domain/model-spec.ts';
import { measuredStepTime } from '../../core/domain/step-time.ts';
import type { EngineSpec } from '../driver.ts';
import { parseSettings } from './settings.ts';

const spec: EngineSpec = {
  replicaId: 'r1',
  generation: 1,
  host: 'h1',
  engine: 'simulated',
  deployment: 'chat',
  model: 'llama-3.1-8b',
  source: 'hf://meta-llama/Llama-3.1-8B-Instruct',
  dtype: 'bf16',
  shape: shapeOf({ name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct', dtype: 'bf16' }),
  accelerators: [0],
  acceleratorKind: 'H100-SXM',
  tensorParallel: 1,
  args: {},
  stepTime: measuredStepTime('llama-3.1-8b', 'H100-SXM', 1)!.coefficients,
  kvCacheTokens: 400_000,
  maxSequences: 256,
};
const withArgs = (args: EngineSpec['args'], more: Partial<EngineSpec> = {}) => parseSettings({ ...spec, ...more, args });

describe('parseSettings', () => {
  it('takes limits and timing from the spec, and vLLM defaults for the rest', () => {
    expect(withArgs({})).toMatchObject({
      names: ['chat', 'llama-3.1-8b'],
      engine: { maxSequences: 256, maxBatchedTokens: 2048, maxContextTokens: 131_072, scheduling: 'fcfs', stepTime: spec.stepTime },
      graceSeconds: 20,
      seed: 0,
    });
  });

  it('takes flags, as numbers or as text', () => {
    const settings = withArgs({ 'max-num-seqs': '8', 'max-num-batched-tokens': 512, 'scheduling-policy': 'priority', 'simulated-seed': 7 });
    expect(settings).toMatchObject({ engine: { maxSequences: 8, maxBatchedTokens: 512, scheduling: 'priority' }, seed: 7 });
  });

  it('never promises a context that the cache cannot hold', () => {
    expect(withArgs({ 'max-model-len': 8192 }).engine.maxContextTokens).toBe(8192);
    expect(withArgs({}, { kvCacheTokens: 5000 }).engine.maxContextTokens).toBe(5000);
  });

  it('loads for longer where there is more to load, 3 seconds at most', () => {
    const load = (weightsBytes: number) => withArgs({}, { shape: { ...spec.shape, weightsBytes } }).loadSeconds;
    expect(load(16e9)).toBeCloseTo(1.16);
    expect(load(800e9)).toBe(3);
    expect(withArgs({ 'simulated-load-seconds': 0 }).loadSeconds).toBe(0);
  });

  it.each([
    [{ 'tensor-parallel-size': 2 }, 'args.tensor-parallel-size: got 2, allowed is no such field'],
    [{ 'max-num-seqs': 0 }, 'args.max-num-seqs: got 0, allowed is a number of at least 1'],
    [{ 'max-num-seqs': 'many' }, 'args.max-num-seqs: got "many"'],
    [
      { 'max-num-batched-tokens': 64 },
      'args.max-num-batched-tokens: got 64, allowed is a number of at least the sequences that may run, 256',
    ],
    [{ 'scheduling-policy': 'lifo' }, 'args.scheduling-policy: got "lifo", allowed is one of "fcfs", "priority"'],
  ])('refuses %j by name', (args, message) => {
    expect(() => withArgs(args)).toThrow(message);
  });

  it('names what a spec lacks', () => {
    expect(() => parseSettings({ ...spec, stepTime: undefined })).toThrow('stepTime: got nothing');
    expect(() => parseSettings('x')).toThrow('engine spec is not valid');
  });
});
