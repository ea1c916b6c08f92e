import { describe, expect, it } from 'vitest';
import { acceleratorKind } from './accelerators.ts';
import { kvBytes, kvCacheTokens } from './memory.ts';
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
});
