import { describe, expect, it } from 'vitest';
import { ACCELERATOR_KINDS, acceleratorKind } from './accelerators.ts';
import { KNOWN_CONFIGS, type ModelConfig, modelShape } from './model-spec.ts';
import type { Dtype } from './quantisation.ts';
import { decodeStepMs, measuredStepTime, prefillMs, priorStepTime, stepTimeMs } from './step-time.ts';

const llama8b = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');

describe('stepTimeMs', () => {
  const c = { d0: 3, d1: 0.5, d2: 0.001, ra: 0.4, rc: 0.1, rb: 1e-6, o: 1 };
  it('is the published form', () => {
    const load = { prefillTokens: 8, prefillSquares: 64, decodeSequences: 2, decodeContextTokens: 1000 };
    expect(stepTimeMs(c, load)).toBeCloseTo((3 ** 4 + 4 ** 4) ** 0.25 + 0.8 + 1 + 1 + 64e-6 + 1, 9);
  });
  it('prefills a long prompt in chunks, each after the first beside what is cached', () => {
    const chunks = [
      { prefillTokens: 2048, prefillSquares: 2048 ** 2, decodeSequences: 0, decodeContextTokens: 0 },
      { prefillTokens: 952, prefillSquares: 3000 ** 2 - 2048 ** 2, decodeSequences: 0, decodeContextTokens: 0 },
    ];
    expect(prefillMs(c, 3000)).toBeCloseTo(
      chunks.reduce((ms, load) => ms + stepTimeMs(c, load), 0),
      9,
    );
  });
});

describe('priors', () => {
  it('are measured where someone measured', () => {
    expect(priorStepTime(llama8b, acceleratorKind('H100-SXM'), 1)).toMatchObject({ source: 'measured', coefficients: { d0: 6.374 } });
  });

  it('are measured for a model of the same architecture under any name', () => {
    const tuned = { ...KNOWN_CONFIGS['llama-3.1-8b']!, max_position_embeddings: 8192 };
    for (const config of [tuned, { ...tuned, vocab_size: 128_320 }]) {
      const prior = priorStepTime(modelShape('support-bot', config, 'fp16'), acceleratorKind('L40S'), 2);
      expect(prior).toEqual({ ...measuredStepTime('llama-3.1-8b', 'L40S', 2), model: 'support-bot' });
    }
  });

  it.each<[string, ModelConfig, Dtype]>([
    ['quantised by declaration', KNOWN_CONFIGS['llama-3.1-8b']!, 'int4'],
    ['a quantised checkpoint', { ...KNOWN_CONFIGS['llama-3.1-8b']!, quantization_config: { quant_method: 'fp8' } }, 'bf16'],
    ['larger', { ...KNOWN_CONFIGS['llama-3.1-8b']!, num_hidden_layers: 40 }, 'bf16'],
    ['of another width', { ...KNOWN_CONFIGS['llama-3.1-8b']!, intermediate_size: 14_848 }, 'bf16'],
    ['of fewer KV heads', { ...KNOWN_CONFIGS['llama-3.1-8b']!, num_key_value_heads: 4 }, 'bf16'],
    ['of smaller heads', { ...KNOWN_CONFIGS['llama-3.1-8b']!, head_dim: 64 }, 'bf16'],
  ])('are derived for a model of the same name that is %s', (_, config, dtype) => {
    expect(priorStepTime(modelShape('llama-3.1-8b', config, dtype), acceleratorKind('L40S'), 1).source).toBe('derived');
  });

  it('are derived for widths that nobody measured', () => {
    expect(priorStepTime(llama8b, acceleratorKind('H100-SXM'), 4).source).toBe('derived');
  });

  it('exist for every accelerator of the catalog', () => {
    for (const kind of ACCELERATOR_KINDS) expect(decodeStepMs(priorStepTime(llama8b, kind, 1).coefficients, 8, 8000)).toBeGreaterThan(0);
  });
});
