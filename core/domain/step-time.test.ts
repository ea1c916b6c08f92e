import { describe, expect, it } from 'vitest';
import { ACCELERATOR_KINDS, acceleratorKind } from './accelerators.ts';
import { KNOWN_CONFIGS, modelShape } from './model-spec.ts';
import { decodeStepMs, derivedStepTime, measuredStepTime, prefillMs, priorStepTime, stepTimeMs } from './step-time.ts';

const llama8b = modelShape('llama-3.1-8b', KNOWN_CONFIGS['llama-3.1-8b']!, 'bf16');
const llama70b = modelShape('llama-3.1-70b', KNOWN_CONFIGS['llama-3.1-70b']!, 'bf16');

describe('model shapes', () => {
  it('agree with the published parameter counts', () => {
    expect(llama8b.parameters / 1e9).toBeCloseTo(8.03, 1);
    expect(llama70b.parameters / 1e9).toBeCloseTo(70.6, 0);
  });
  it('know the KV bytes of a token', () => {
    expect(llama8b.kvBytesPerToken).toBe(131_072);
    expect(llama70b.kvBytesPerToken).toBe(327_680);
  });
  it('count only the active experts of a mixture', () => {
    const mixtral = modelShape(
      'mixtral',
      {
        num_hidden_layers: 32,
        hidden_size: 4096,
        num_attention_heads: 32,
        num_key_value_heads: 8,
        intermediate_size: 14_336,
        vocab_size: 32_000,
        num_local_experts: 8,
        num_experts_per_tok: 2,
      },
      'bf16',
    );
    expect(mixtral.parameters / 1e9).toBeCloseTo(46.7, 0);
    expect(mixtral.activeParameters / 1e9).toBeCloseTo(12.9, 0);
  });
});

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
  it.each([
    ['H100-SXM', llama8b, 1],
    ['A100-80G-SXM', llama8b, 1],
    ['B200-SXM', llama8b, 1],
    ['L40S', llama8b, 1],
    ['H100-SXM', llama70b, 4],
    ['A100-80G-SXM', llama70b, 4],
  ] as const)('derived from catalog figures come within 40 %% of the measured decode step: %s', (id, shape, tp) => {
    const measured = measuredStepTime(shape.name, id, tp)!.coefficients;
    const derived = derivedStepTime(shape, acceleratorKind(id), tp).coefficients;
    for (const [sequences, context] of [
      [1, 1000],
      [32, 32_000],
      [128, 128_000],
    ] as const) {
      const ratio = decodeStepMs(derived, sequences, context) / decodeStepMs(measured, sequences, context);
      expect(ratio).toBeGreaterThan(0.6);
      expect(ratio).toBeLessThan(1.4);
    }
  });
  it('exist for every accelerator of the catalog', () => {
    for (const kind of ACCELERATOR_KINDS) expect(decodeStepMs(priorStepTime(llama8b, kind, 1).coefficients, 8, 8000)).toBeGreaterThan(0);
  });
});
