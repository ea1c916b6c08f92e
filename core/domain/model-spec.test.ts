import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, UellmError } from './errors.ts';
import { KNOWN_CONFIGS, type ModelConfig, modelConfigSchema, modelSchema, modelShape, shapeOf } from './model-spec.ts';

const llama = { num_attention_heads: 32, num_key_value_heads: 8, intermediate_size: 14_336 };
const llama4 = {
  model_type: 'llama4_text',
  hidden_size: 5120,
  num_hidden_layers: 48,
  num_attention_heads: 40,
  num_key_value_heads: 8,
  head_dim: 128,
  intermediate_size: 8192,
  intermediate_size_mlp: 16_384,
  num_experts_per_tok: 1,
  vocab_size: 202_048,
  attention_chunk_size: 8192,
  max_position_embeddings: 1_048_576,
};
const siglip = { hidden_size: 1152, intermediate_size: 4304, num_hidden_layers: 27 };
const gemma3 = { model_type: 'gemma3_text', sliding_window: 1024 };
const deepseekV2 = {
  model_type: 'deepseek_v2',
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  n_shared_experts: 2,
  num_experts_per_tok: 6,
  first_k_dense_replace: 1,
  moe_layer_freq: 1,
  vocab_size: 102_400,
};
const qwen2Moe = { model_type: 'qwen2_moe', decoder_sparse_step: 1, mlp_only_layers: [], vocab_size: 151_936, use_sliding_window: false };
const gpt2 = { model_type: 'gpt2', vocab_size: 50_257, n_positions: 1024, n_inner: null };

/** What publishers say, in billions; of active ones, without the input embedding where they leave it out. */
const PUBLISHED: Record<string, { config: ModelConfig; total: number; active?: number; activeWithoutInput?: number }> = {
  'Llama-2-7B': {
    config: { num_hidden_layers: 32, hidden_size: 4096, num_attention_heads: 32, intermediate_size: 11_008, vocab_size: 32_000 },
    total: 6.74,
  },
  'Llama-3.1-8B': { config: KNOWN_CONFIGS['llama-3.1-8b']!, total: 8.03, active: 8.03 },
  'Llama-3.1-70B': { config: KNOWN_CONFIGS['llama-3.1-70b']!, total: 70.6 },
  'Llama-3.1-405B': {
    config: {
      ...KNOWN_CONFIGS['llama-3.1-70b']!,
      num_hidden_layers: 126,
      hidden_size: 16_384,
      num_attention_heads: 128,
      intermediate_size: 53_248,
    },
    total: 406,
  },
  'Llama-3.2-1B': {
    config: { ...llama, num_hidden_layers: 16, hidden_size: 2048, intermediate_size: 8192, vocab_size: 128_256, tie_word_embeddings: true },
    total: 1.24,
  },
  'Llama-4-Scout': {
    config: {
      text_config: { ...llama4, num_local_experts: 16, interleave_moe_layer_step: 1 },
      vision_config: { hidden_size: 1408, intermediate_size: 5632, num_hidden_layers: 34 },
    },
    total: 109,
    active: 17,
  },
  'Llama-4-Maverick': {
    config: { text_config: { ...llama4, num_local_experts: 128, interleave_moe_layer_step: 2 } },
    total: 400,
    active: 17,
  },
  'Mistral-7B': { config: KNOWN_CONFIGS['mistral-7b']!, total: 7.25 },
  'Mistral-Nemo-12B': {
    config: { ...llama, model_type: 'mistral', num_hidden_layers: 40, hidden_size: 5120, head_dim: 128, vocab_size: 131_072 },
    total: 12.2,
  },
  'Mixtral-8x7B': { config: KNOWN_CONFIGS['mixtral-8x7b']!, total: 46.7, active: 12.9 },
  'Mixtral-8x22B': {
    config: {
      ...KNOWN_CONFIGS['mixtral-8x7b']!,
      num_hidden_layers: 56,
      hidden_size: 6144,
      num_attention_heads: 48,
      intermediate_size: 16_384,
    },
    total: 141,
    active: 39,
  },
  'Qwen2.5-7B': { config: KNOWN_CONFIGS['qwen2.5-7b']!, total: 7.62 },
  'Qwen2.5-72B': { config: KNOWN_CONFIGS['qwen2.5-72b']!, total: 72.7 },
  'Qwen1.5-MoE-A2.7B': {
    config: {
      ...qwen2Moe,
      num_hidden_layers: 24,
      hidden_size: 2048,
      num_attention_heads: 16,
      intermediate_size: 5632,
      num_experts: 60,
      num_experts_per_tok: 4,
      moe_intermediate_size: 1408,
      shared_expert_intermediate_size: 5632,
    },
    total: 14.3,
    active: 2.7,
  },
  'Qwen2-57B-A14B': {
    config: {
      ...qwen2Moe,
      num_hidden_layers: 28,
      hidden_size: 3584,
      num_attention_heads: 28,
      num_key_value_heads: 4,
      intermediate_size: 18_944,
      num_experts: 64,
      num_experts_per_tok: 8,
      moe_intermediate_size: 2560,
      shared_expert_intermediate_size: 20_480,
    },
    total: 57.4,
    active: 14.2,
  },
  'Qwen3-8B': { config: KNOWN_CONFIGS['qwen3-8b']!, total: 8.19 },
  'Qwen3-32B': { config: KNOWN_CONFIGS['qwen3-32b']!, total: 32.8 },
  'Qwen3-30B-A3B': { config: KNOWN_CONFIGS['qwen3-30b-a3b']!, total: 30.5, active: 3.3 },
  'Qwen3-235B-A22B': { config: KNOWN_CONFIGS['qwen3-235b-a22b']!, total: 235, active: 22 },
  'DeepSeek-V2-Lite': {
    config: {
      ...deepseekV2,
      num_hidden_layers: 27,
      hidden_size: 2048,
      num_attention_heads: 16,
      q_lora_rank: null,
      intermediate_size: 10_944,
      moe_intermediate_size: 1408,
      n_routed_experts: 64,
    },
    total: 15.7,
    activeWithoutInput: 2.4,
  },
  'DeepSeek-V2': {
    config: {
      ...deepseekV2,
      num_hidden_layers: 60,
      hidden_size: 5120,
      num_attention_heads: 128,
      q_lora_rank: 1536,
      intermediate_size: 12_288,
      moe_intermediate_size: 1536,
      n_routed_experts: 160,
    },
    total: 236,
    active: 21.4,
  },
  'DeepSeek-V3': { config: KNOWN_CONFIGS['deepseek-v3']!, total: 671, active: 37, activeWithoutInput: 36.7 },
  'Gemma-2-9B': {
    config: {
      model_type: 'gemma2',
      num_hidden_layers: 42,
      hidden_size: 3584,
      num_attention_heads: 16,
      num_key_value_heads: 8,
      head_dim: 256,
      intermediate_size: 14_336,
      vocab_size: 256_000,
      sliding_window: 4096,
    },
    total: 9.24,
  },
  'Gemma-3-4B': {
    config: {
      text_config: { ...gemma3, hidden_size: 2560, intermediate_size: 10_240, num_hidden_layers: 34 },
      vision_config: siglip,
    },
    total: 4.3,
  },
  'Gemma-3-27B': {
    config: {
      architectures: ['Gemma3ForConditionalGeneration'],
      text_config: {
        ...gemma3,
        hidden_size: 5376,
        intermediate_size: 21_504,
        num_hidden_layers: 62,
        num_attention_heads: 32,
        num_key_value_heads: 16,
        head_dim: 128,
      },
      vision_config: siglip,
    },
    total: 27.4,
  },
  'Phi-3-mini': {
    config: {
      model_type: 'phi3',
      num_hidden_layers: 32,
      hidden_size: 3072,
      num_attention_heads: 32,
      num_key_value_heads: 32,
      intermediate_size: 8192,
      vocab_size: 32_064,
      sliding_window: 2047,
    },
    total: 3.82,
  },
  'Phi-2': {
    config: {
      model_type: 'phi',
      num_hidden_layers: 32,
      hidden_size: 2560,
      num_attention_heads: 32,
      intermediate_size: 10_240,
      vocab_size: 51_200,
    },
    total: 2.78,
  },
  'gpt-oss-20b': { config: KNOWN_CONFIGS['gpt-oss-20b']!, total: 20.9, activeWithoutInput: 3.6 },
  'gpt-oss-120b': { config: KNOWN_CONFIGS['gpt-oss-120b']!, total: 116.8, activeWithoutInput: 5.1 },
  'GPT-2': { config: { ...gpt2, n_layer: 12, n_head: 12, n_embd: 768 }, total: 0.124 },
  'GPT-2 XL': { config: { ...gpt2, n_layer: 48, n_head: 25, n_embd: 1600 }, total: 1.56 },
  'OPT-6.7B': {
    config: { model_type: 'opt', num_hidden_layers: 32, hidden_size: 4096, num_attention_heads: 32, ffn_dim: 16_384, vocab_size: 50_272 },
    total: 6.66,
  },
  'GPT-J-6B': { config: { model_type: 'gptj', n_layer: 28, n_embd: 4096, n_head: 16, vocab_size: 50_400 }, total: 6.05 },
  'BLOOM-176B': {
    config: { model_type: 'bloom', n_layer: 70, n_head: 112, hidden_size: 14_336, vocab_size: 250_880 },
    total: 176,
  },
  'Falcon-7B': {
    config: {
      model_type: 'falcon',
      num_hidden_layers: 32,
      hidden_size: 4544,
      num_attention_heads: 71,
      multi_query: true,
      new_decoder_architecture: false,
      vocab_size: 65_024,
    },
    total: 6.92,
  },
  'Falcon-40B': {
    config: {
      model_type: 'falcon',
      num_hidden_layers: 60,
      hidden_size: 8192,
      num_attention_heads: 128,
      num_kv_heads: 8,
      multi_query: true,
      new_decoder_architecture: true,
      vocab_size: 65_024,
    },
    total: 41.8,
  },
  'ChatGLM2-6B': { config: KNOWN_CONFIGS['chatglm2-6b']!, total: 6.24 },
};

describe('parameters', () => {
  it.each(Object.entries(PUBLISHED))(
    '%s has what its publisher says, within 3 %%',
    (name, { config, total, active, activeWithoutInput }) => {
      const shape = modelShape(name, config, 'bf16');
      const off = (parameters: number, billions: number) => Math.abs(parameters / 1e9 / billions - 1);
      expect(off(shape.parameters, total)).toBeLessThan(0.03);
      if (active !== undefined) expect(off(shape.activeParameters, active)).toBeLessThan(0.03);
      const input = (config.vocab_size ?? 0) * shape.hiddenSize;
      if (activeWithoutInput !== undefined) expect(off(shape.activeParameters - input, activeWithoutInput)).toBeLessThan(0.03);
      if (!shape.routedExperts) expect(shape.parameters - shape.activeParameters).toBeLessThan(0.5e9);
    },
  );

  it('calls a mixture dense whose layers all are', () => {
    const dense = modelShape('m', { ...KNOWN_CONFIGS['deepseek-v3']!, first_k_dense_replace: 61 }, 'bf16');
    expect(dense.routedExperts).toBeUndefined();
    expect(dense.activeParameters).toBe(dense.parameters);
  });

  it('takes a config apart from what it is called: the family decides by its own names or those of its classes', () => {
    const { model_type: _, ...rest } = { ...gpt2, n_layer: 12, n_head: 12, n_embd: 768 };
    const byClass = modelShape('m', { ...rest, architectures: ['GPT2LMHeadModel'] }, 'bf16');
    expect(byClass.parameters).toBe(modelShape('m', PUBLISHED['GPT-2']!.config, 'bf16').parameters);
  });
});

describe('KV cache', () => {
  const kv = (name: string) => modelShape(name, PUBLISHED[name]!.config, 'bf16');
  it.each([
    ['Llama-3.1-8B', 131_072],
    ['Llama-3.1-70B', 327_680],
    ['Qwen3-30B-A3B', 98_304],
    ['ChatGLM2-6B', 28_672],
    ['Falcon-7B', 8192],
    ['GPT-2', 36_864],
    // The latent of 512 and 64 values with positions, in each of 61 layers; 70 kB is the figure of DeepSeek's report.
    ['DeepSeek-V3', 70_272],
  ])('%s takes %i bytes a token', (name, bytes) => {
    expect(kv(name).kvBytesPerToken).toBe(bytes);
  });

  it('of MLA is one piece that tensor parallelism cannot split', () => {
    expect(kv('DeepSeek-V3')).toMatchObject({ kvHeads: 1, attentionHeads: 128, headDim: 160 });
  });

  it('knows the layers that hold a window', () => {
    expect(kv('gpt-oss-20b').slidingWindow).toEqual({ tokens: 128, share: 0.5 });
    expect(kv('Gemma-3-27B').slidingWindow).toEqual({ tokens: 1024, share: 52 / 62 });
    expect(kv('Gemma-2-9B').slidingWindow).toEqual({ tokens: 4096, share: 0.5 });
    expect(kv('Llama-4-Scout').slidingWindow).toEqual({ tokens: 8192, share: 0.75 });
    const listed = {
      ...PUBLISHED['gpt-oss-20b']!.config,
      layer_types: [...Array(18).fill('sliding_attention'), ...Array(6).fill('full_attention')],
    };
    expect(modelShape('m', listed, 'bf16').slidingWindow).toEqual({ tokens: 128, share: 0.75 });
  });

  it('takes a model whose layers all slide, or none, for one that holds whole contexts', () => {
    expect(kv('Phi-3-mini').slidingWindow).toBeUndefined();
    expect(
      modelShape('m', { ...PUBLISHED['Qwen2.5-7B']!.config, sliding_window: 131_072, use_sliding_window: false }, 'bf16').slidingWindow,
    ).toBeUndefined();
  });
});

describe('a config that makes no model', () => {
  const good = KNOWN_CONFIGS['llama-3.1-8b']!;
  const mixture = KNOWN_CONFIGS['mixtral-8x7b']!;
  it.each<[string, unknown, string]>([
    ['no layers', { ...good, num_hidden_layers: 0 }, 'num_hidden_layers: got 0, allowed is a number above 0'],
    ['less than none', { ...good, hidden_size: -4096 }, 'hidden_size: got -4096, allowed is a number above 0'],
    ['broken layers', { ...good, num_hidden_layers: 31.5 }, 'num_hidden_layers: got 31.5, allowed is a whole number'],
    ['too many layers', { ...good, num_hidden_layers: 1e9 }, 'num_hidden_layers: got 1000000000, allowed is a number of at most 10000'],
    [
      'too many of a mixture',
      { ...mixture, num_hidden_layers: 1e9 },
      'num_hidden_layers: got 1000000000, allowed is a number of at most 10000',
    ],
    ['words for figures', { ...good, hidden_size: '4096' }, 'hidden_size: got "4096", allowed is a number'],
    [
      'heads that do not divide',
      { ...good, num_attention_heads: 24 },
      'hidden_size: got 4096, allowed is a multiple of the 24 attention heads',
    ],
    [
      'KV heads that do not divide',
      { ...good, num_key_value_heads: 5 },
      'num_key_value_heads: got 5, allowed is a divisor of the 32 attention heads',
    ],
    [
      'heads of other names',
      { ...PUBLISHED['GPT-2']!.config, n_head: 11 },
      'n_embd: got 768, allowed is a multiple of the 11 attention heads',
    ],
    ['no vocabulary', { ...good, vocab_size: null }, 'vocab_size: got null, allowed is a whole number above 0 (or as padded_vocab_size)'],
    [
      'no MLP',
      { ...good, intermediate_size: undefined },
      'intermediate_size: got nothing, allowed is a whole number above 0 (or as ffn_hidden_size)',
    ],
    [
      'experts of which nobody says how many',
      { ...mixture, num_experts_per_tok: null },
      'num_experts_per_tok: got null, allowed is a whole number above 0',
    ],
    [
      'more experts than there are',
      { ...mixture, num_experts_per_tok: 9 },
      'num_experts_per_tok: got 9, allowed is at most the 8 experts that there are',
    ],
    ['half of MLA', { ...KNOWN_CONFIGS['deepseek-v3']!, v_head_dim: null }, 'v_head_dim: got null, allowed is a whole number above 0'],
    [
      'one level down',
      { text_config: { model_type: 'gemma3_text', num_hidden_layers: 2, intermediate_size: 8 } },
      'text_config.hidden_size: got nothing, allowed is a whole number above 0',
    ],
    ['no object', [], 'the input: got [], allowed is an object'],
  ])('%s: is refused by the field', (_, config, message) => {
    const refused = messageOf(thrownBy(() => modelShape('m', config as ModelConfig, 'bf16')));
    expect(refused).toContain("config of model 'm' is not valid: ");
    expect(refused).toContain(message);
    expect(modelConfigSchema.safeParse(config).success).toBe(false);
    const declared = modelSchema.safeParse({ name: 'm', source: 'hf://a/b', config });
    expect(declared.error?.issues[0]?.path[0]).toBe('config');
  });

  it('names every field that is wrong at once', () => {
    const refused = thrownBy(() => modelShape('m', { architectures: ['LlamaForCausalLM'] }, 'bf16'));
    const issues = refused instanceof UellmError && refused.detail.kind === 'invalid-input' ? refused.detail.issues : [];
    expect(issues.map(({ field }) => field)).toEqual([
      'num_hidden_layers',
      'hidden_size',
      'vocab_size',
      'num_attention_heads',
      'intermediate_size',
    ]);
  });

  it('blames what is missing, not what depends on it', () => {
    const { num_attention_heads: _, ...headless } = good;
    expect(modelConfigSchema.safeParse(headless).error?.issues.map(({ path }) => path)).toEqual([['num_attention_heads']]);
  });

  it('never makes the reading itself fail', () => {
    const names = Object.keys(Object.assign({}, ...Object.values(PUBLISHED).map(({ config }) => config)));
    const value = fc.oneof(fc.integer({ min: -2, max: 300 }), fc.constantFrom(null, 0.5, '8', true, [], {}, [1], 1e12));
    const config = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(config, config, fc.boolean(), (outer, inner, nested) => {
        const odd = { ...good, ...outer, ...(nested ? { text_config: inner } : {}) };
        const result = modelConfigSchema.safeParse(odd);
        if (!result.success) expect(() => modelShape('m', odd as ModelConfig, 'bf16')).toThrow(UellmError);
        else {
          const shape = modelShape('m', result.data, 'bf16');
          for (const figure of [shape.parameters, shape.activeParameters, shape.weightsBytes, shape.kvBytesPerToken]) {
            expect(figure).toBeGreaterThan(0);
          }
          expect(shape.activeParameters).toBeLessThanOrEqual(shape.parameters);
        }
      }),
    );
  });

  it('is asked for where there is none', () => {
    for (const name of ['unheard-of', 'constructor']) {
      expect(() => shapeOf({ name, source: 'hf://a/b', dtype: 'bf16' })).toThrow(
        /config: got nothing, allowed is a Hugging Face config.json; only llama-3.1-8b, /,
      );
    }
  });
});

describe('the context of a model', () => {
  const tokens = (more: object) => modelShape('m', { ...KNOWN_CONFIGS['qwen2.5-7b']!, ...more } as ModelConfig, 'bf16').maxContextTokens;

  it.each([
    ['is what the config says', {}, 32_768],
    ['is stretched by linear scaling', { rope_scaling: { type: 'linear', factor: 4 } }, 131_072],
    ['is stretched by dynamic scaling', { rope_parameters: { rope_type: 'dynamic', factor: 2 } }, 65_536],
    [
      'is what YaRN makes of the original',
      { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32_768 } },
      131_072,
    ],
    [
      'is what the config says where that is stretched already',
      { max_position_embeddings: 163_840, rope_scaling: { type: 'yarn', factor: 40, original_max_position_embeddings: 4096 } },
      163_840,
    ],
    ['is not stretched twice', { rope_scaling: { rope_type: 'llama3', factor: 8 } }, 32_768],
    ['is not that of a window', { sliding_window: 4096, use_sliding_window: true }, 32_768],
    ['may be given to the language model alone', { text_config: { max_position_embeddings: 1024 } }, 1024],
  ])('%s', (_, more, expected) => {
    expect(tokens(more)).toBe(expected);
  });
});

describe('a config that does', () => {
  it('keeps the fields that nobody reads, and passes twice', () => {
    const config = { ...KNOWN_CONFIGS['llama-3.1-8b']!, rope_theta: 500_000, rope_scaling: { factor: 8 }, torch_dtype: 'bfloat16' };
    expect(modelConfigSchema.parse(modelConfigSchema.parse(config))).toEqual(config);
  });

  it.each(Object.entries(KNOWN_CONFIGS))('%s is known', (name, config) => {
    const known = shapeOf(modelSchema.parse({ name, source: 'hf://a/b' }));
    expect(known).toEqual(modelShape(name, config, 'bf16'));
    expect(known.maxContextTokens).toBeGreaterThanOrEqual(32_768);
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
