import { describe, expect, it } from 'vitest';
import { KNOWN_CONFIGS, type ModelConfig, modelShape } from './model-spec.ts';
import type { Dtype } from './quantisation.ts';

const small = KNOWN_CONFIGS['llama-3.1-8b']!;
const large = KNOWN_CONFIGS['llama-3.1-70b']!;
const bytes = (config: ModelConfig, dtype: Dtype = 'bf16') => modelShape('m', config, dtype).weightsBytes;
const group = (weights: Record<string, unknown>, input_activations: Record<string, unknown> | null = null) => ({
  group_0: { weights, input_activations },
});

describe('bytes of weights', () => {
  it.each<[string, ModelConfig, number]>([
    // What checkpoints take on disk, GB.
    ['Llama-3.1-8B', small, 16.07],
    ['Llama-3.1-70B', large, 141.1],
    ['Llama-3.1-70B AWQ', { ...large, quantization_config: { quant_method: 'awq', bits: 4, group_size: 128, zero_point: true } }, 39.8],
    ['Llama-3.1-8B GPTQ', { ...small, quantization_config: { quant_method: 'gptq', bits: 4, group_size: 128, desc_act: true } }, 5.74],
    [
      'Llama-3.1-70B FP8 (compressed-tensors)',
      {
        ...large,
        quantization_config: {
          quant_method: 'compressed-tensors',
          config_groups: group({ num_bits: 8, type: 'float', group_size: null }, { num_bits: 8, type: 'float' }),
          ignore: ['lm_head'],
        },
      },
      70.7,
    ],
    // 671 billion of the model itself. The checkpoint's files hold 14 billion for multi-token prediction as well, which are not counted.
    ['DeepSeek-V3', { ...KNOWN_CONFIGS['deepseek-v3']!, num_nextn_predict_layers: 1 }, 685],
    ['gpt-oss-20b', KNOWN_CONFIGS['gpt-oss-20b']!, 13.75],
    [
      'gpt-oss-120b',
      {
        ...KNOWN_CONFIGS['gpt-oss-120b']!,
        quantization_config: { quant_method: 'mxfp4', modules_to_not_convert: ['model.layers.*.self_attn', 'model.layers.*.mlp.router'] },
      },
      65.3,
    ],
  ])('%s: what its checkpoint takes, within 5 %%', (_, config, gigabytes) => {
    expect(Math.abs(bytes(config) / 1e9 / gigabytes - 1)).toBeLessThan(0.05);
  });

  it('are what the checkpoint says, whatever the model is declared as', () => {
    const quantised = { ...small, quantization_config: { quant_method: 'gptq', bits: 4, group_size: 128 } };
    expect(bytes(quantised, 'bf16')).toBe(bytes(quantised, 'fp8'));
    expect(bytes(quantised, 'bf16')).toBe(bytes(small, 'int4'));
  });

  it('are those of the declared dtype where the checkpoint says nothing that is known', () => {
    const strange = { ...small, quantization_config: { quant_method: 'not-heard-of', bits: 2 } };
    expect(bytes(strange)).toBe(bytes(small));
    expect(bytes(strange, 'fp8')).toBe(bytes(small, 'fp8'));
    expect([bytes(small, 'fp16'), bytes(small, 'int8')]).toEqual([bytes(small), bytes(small, 'fp8')]);
  });

  it('keep embeddings in 16 bits', () => {
    const embeddings = 2 * 128_256 * 4096;
    expect(bytes(small) - bytes(small, 'fp8')).toBe(bytes(small) / 2 - embeddings);
  });

  it('keep attention in 16 bits where the checkpoint spares it', () => {
    const fp8 = { quant_method: 'fbgemm_fp8', modules_to_not_convert: ['lm_head'] };
    const spared = { ...fp8, modules_to_not_convert: ['lm_head', 'model.layers.0.self_attn.q_proj'] };
    const attention = 32 * 4096 * 128 * 2 * (32 + 8);
    expect(bytes({ ...small, quantization_config: spared }) - bytes({ ...small, quantization_config: fp8 })).toBe(attention);
  });

  it.each<[string, object, number]>([
    ['whole channels', { quant_method: 'gptq', bits: 8, group_size: -1 }, 8],
    ['small groups', { quant_method: 'awq', w_bit: 4, q_group_size: 64 }, 4 + 20 / 64],
    ['NF4', { quant_method: 'bitsandbytes', load_in_4bit: true }, 4.5],
    ['NF4, scales quantised', { quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_use_double_quant: true }, 4 + 1 / 8 + 1 / 512],
    ['LLM.int8', { quant_method: 'bitsandbytes', load_in_8bit: true }, 8],
    [
      'packed integers',
      { quant_method: 'compressed-tensors', config_groups: group({ num_bits: 4, type: 'int', group_size: 128 }) },
      4 + 20 / 128,
    ],
    ['NVFP4', { quant_method: 'compressed-tensors', config_groups: group({ num_bits: 4, type: 'float', group_size: 16 }) }, 4.5],
    ['NVFP4 by name', { quant_method: 'modelopt', quant_algo: 'NVFP4' }, 4.5],
    [
      'the widest of several groups',
      {
        quant_method: 'compressed-tensors',
        config_groups: { ...group({ num_bits: 4, type: 'int', group_size: 128 }), group_1: { weights: { num_bits: 8, type: 'int' } } },
      },
      8,
    ],
    ['groups that say nothing', { quant_method: 'compressed-tensors', config_groups: {} }, 16],
  ])('count scales: %s', (_, quantization_config, bits) => {
    const linear = 32 * 4096 * (128 * 2 * (32 + 8) + 3 * 14_336);
    const config = { ...small, quantization_config } as ModelConfig;
    expect(bytes(config)).toBeCloseTo((linear * bits) / 8 + 2 * 128_256 * 4096 * 2, -1);
  });
});

describe('compute in 8-bit floats', () => {
  const fp8 = (quantization_config: object | undefined, dtype: Dtype = 'bf16') =>
    modelShape('m', { ...small, quantization_config } as ModelConfig, dtype).fp8Compute;
  it('is for weights and activations in fp8, not for weights alone', () => {
    expect(fp8({ quant_method: 'fp8' })).toBe(true);
    expect(fp8(undefined, 'fp8')).toBe(true);
    expect(fp8({ quant_method: 'modelopt', quant_algo: 'FP8' })).toBe(true);
    const weights = { num_bits: 8, type: 'float' };
    expect(fp8({ quant_method: 'compressed-tensors', config_groups: group(weights, { num_bits: 8 }) })).toBe(true);
    expect(fp8({ quant_method: 'compressed-tensors', config_groups: group(weights) })).toBeUndefined();
    expect(fp8({ quant_method: 'awq', bits: 4 })).toBeUndefined();
    expect(fp8({ quant_method: 'mxfp4' })).toBeUndefined();
    expect(fp8(undefined)).toBeUndefined();
  });
});
