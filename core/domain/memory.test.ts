import { describe, expect, it } from 'vitest';
import { acceleratorKind } from './accelerators.ts';
import { kvBytes, kvCacheTokens, memorySettings } from './memory.ts';
import { KNOWN_CONFIGS, modelShape } from './model-spec.ts';

const shape = (name: string) => modelShape(name, KNOWN_CONFIGS[name]!, 'bf16');
const small = shape('llama-3.1-8b');
const large = shape('llama-3.1-70b');

describe('kvBytes', () => {
  it('is what the model card gives for a token', () => {
    expect(kvBytes(small, 1)).toBe(131_072);
    expect(kvBytes(large, 1000)).toBe(327_680_000);
  });
});

describe('kvCacheTokens', () => {
  it.each([
    // model, accelerator, tensor parallel, at least, at most
    ['llama-3.1-8b', 'H100-SXM', 1, 420_000, 460_000],
    ['llama-3.1-8b', 'L40S', 1, 170_000, 200_000],
    ['llama-3.1-8b', 'T4', 1, 0, 0],
    ['llama-3.1-70b', 'H100-SXM', 1, 0, 0],
    ['llama-3.1-70b', 'H100-SXM', 2, 20_000, 30_000],
    ['llama-3.1-70b', 'H100-SXM', 4, 400_000, 500_000],
    ['llama-3.1-70b', 'L40S', 4, 50_000, 90_000],
  ])('%s on %s x %i', (model, accelerator, tensorParallel, atLeast, atMost) => {
    const tokens = kvCacheTokens(shape(model), acceleratorKind(accelerator), tensorParallel);
    expect(tokens).toBeGreaterThanOrEqual(atLeast);
    expect(tokens).toBeLessThanOrEqual(atMost);
    expect(tokens % 16).toBe(0);
  });

  it('grows with the share of memory that the engine may take', () => {
    const at = (memoryUtilisation: number) => kvCacheTokens(small, acceleratorKind('L40S'), 1, { memoryUtilisation });
    expect(at(0.5)).toBeLessThan(at(0.9));
    expect(at(0.1)).toBe(0);
  });

  it('counts one KV head an accelerator once there are more accelerators than KV heads', () => {
    const oneHead = { ...small, kvHeads: 1 };
    const perAccelerator = kvCacheTokens({ ...oneHead, weightsBytes: 0 }, acceleratorKind('H100-SXM'), 1);
    expect(kvCacheTokens({ ...oneHead, weightsBytes: 0 }, acceleratorKind('H100-SXM'), 8)).toBe(perAccelerator);
  });

  it('counts the latent of MLA whole on every accelerator', () => {
    const latent = { ...shape('deepseek-v3'), weightsBytes: 0 };
    const perAccelerator = kvCacheTokens(latent, acceleratorKind('H200-SXM'), 1);
    expect(perAccelerator).toBeGreaterThan(1_500_000);
    expect(kvCacheTokens(latent, acceleratorKind('H200-SXM'), 8)).toBe(perAccelerator);
  });

  it('holds twice the tokens where they are cached in 8 bits', () => {
    const at = (kvValueBytes: 1 | 2) => kvCacheTokens(small, acceleratorKind('H100-SXM'), 1, { kvValueBytes });
    expect(at(1) / at(2)).toBeCloseTo(2, 3);
  });

  describe('of a model with layers that hold a window', () => {
    const window = { tokens: 1024, share: 0.75 };
    const sliding = { ...small, slidingWindow: window };
    const held = (settings = {}) => kvCacheTokens(sliding, acceleratorKind('H100-SXM'), 1, settings);
    const whole = kvCacheTokens(small, acceleratorKind('H100-SXM'), 1);

    it('is what fits however the tokens are spread over sequences', () => {
      const tokens = held();
      const bytes = (sequences: number) => small.kvBytesPerToken * (tokens * 0.25 + 0.75 * Math.min(tokens, sequences * window.tokens));
      const free = acceleratorKind('H100-SXM').memoryBytes * 0.9 - 2 * 1024 ** 3 - small.weightsBytes;
      for (const sequences of [1, 16, 256]) expect(bytes(sequences)).toBeLessThanOrEqual(free);
      expect(tokens).toBeGreaterThan(1.5 * whole);
    });

    it('gains more the fewer sequences there are, and never falls below whole contexts', () => {
      expect(held({ maxSequences: 8 })).toBeGreaterThan(held({ maxSequences: 64 }));
      expect(held({ maxSequences: 100_000 })).toBe(whole);
    });
  });
});

describe('memorySettings', () => {
  it("takes them from the engine's flags", () => {
    const args = { 'gpu-memory-utilization': '0.8', 'max-num-seqs': 64, 'kv-cache-dtype': 'fp8', 'enforce-eager': true };
    expect(memorySettings(args)).toEqual({ memoryUtilisation: 0.8, maxSequences: 64, kvValueBytes: 1 });
  });
  it('leaves out what is not given or makes no sense', () => {
    expect(memorySettings({})).toEqual({});
    expect(memorySettings({ 'gpu-memory-utilization': 'much', 'max-num-seqs': 0, 'kv-cache-dtype': 'auto' })).toEqual({});
    expect(memorySettings({ 'gpu-memory-utilization': 1.5 })).toEqual({});
  });
});
