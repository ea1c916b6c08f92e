/** A model: what someone declares (the Model object), and the shape that placement and profiling compute from its config. */
import { z } from 'zod';
import { UellmError } from './errors.ts';
import { nameSchema } from './names.ts';

const DTYPE_BYTES = { bf16: 2, fp16: 2, fp8: 1, int8: 1, int4: 0.5 } as const;
export const dtypeSchema = z.enum(['bf16', 'fp16', 'fp8', 'int8', 'int4']);

/** The fields of a Hugging Face `config.json` that decide size and speed. Others pass: the file is somebody else's format. */
export const modelConfigSchema = z.looseObject({
  architectures: z.array(z.string()).optional(),
  num_hidden_layers: z.number().int().positive(),
  hidden_size: z.number().int().positive(),
  num_attention_heads: z.number().int().positive(),
  num_key_value_heads: z.number().int().positive().optional(),
  head_dim: z.number().int().positive().nullish(),
  intermediate_size: z.number().int().positive(),
  vocab_size: z.number().int().positive(),
  max_position_embeddings: z.number().int().positive().optional(),
  tie_word_embeddings: z.boolean().optional(),
  // Mixture of experts, as Mixtral and Qwen-MoE name them.
  num_local_experts: z.number().int().positive().optional(),
  num_experts: z.number().int().positive().optional(),
  num_experts_per_tok: z.number().int().positive().optional(),
  moe_intermediate_size: z.number().int().positive().optional(),
});
export type ModelConfig = z.infer<typeof modelConfigSchema>;

export const modelSchema = z.strictObject({
  name: nameSchema,
  /** `hf://owner/name`, `file:///path`. */
  source: z.string().regex(/^(hf:\/\/[\w.-]+\/[\w.-]+|file:\/\/\/.+)$/, 'hf://OWNER/NAME or file:///PATH'),
  config: modelConfigSchema.optional(),
  dtype: dtypeSchema.default('bf16'),
});
export type Model = z.infer<typeof modelSchema>;

/** What size and speed follow from. */
export interface ModelShape {
  name: string;
  layers: number;
  hiddenSize: number;
  attentionHeads: number;
  kvHeads: number;
  headDim: number;
  parameters: number;
  /** Parameters that one token passes through: fewer than all in a mixture of experts. */
  activeParameters: number;
  weightsBytes: number;
  kvBytesPerToken: number;
  maxContextTokens: number;
}

/** Shape of a model from its config. KV bytes a token = 2 · layers · kvHeads · headDim · 2 (the cache stays bf16). */
export function modelShape(name: string, config: ModelConfig, dtype: z.infer<typeof dtypeSchema>): ModelShape {
  const layers = config.num_hidden_layers;
  const hidden = config.hidden_size;
  const heads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? heads;
  const headDim = config.head_dim ?? hidden / heads;
  const attention = hidden * headDim * (2 * heads + 2 * kvHeads);
  const experts = config.num_local_experts ?? config.num_experts ?? 1;
  const activeExperts = config.num_experts_per_tok ?? 1;
  const expert = 3 * hidden * (experts > 1 ? (config.moe_intermediate_size ?? config.intermediate_size) : config.intermediate_size);
  const embeddings = config.vocab_size * hidden * (config.tie_word_embeddings ? 1 : 2);
  const parameters = layers * (attention + experts * expert) + embeddings;
  return {
    name,
    layers,
    hiddenSize: hidden,
    attentionHeads: heads,
    kvHeads,
    headDim,
    parameters,
    activeParameters: layers * (attention + Math.min(activeExperts, experts) * expert) + embeddings,
    weightsBytes: parameters * DTYPE_BYTES[dtype],
    kvBytesPerToken: 2 * layers * kvHeads * headDim * 2,
    maxContextTokens: config.max_position_embeddings ?? 8192,
  };
}

const llama31 = { architectures: ['LlamaForCausalLM'], vocab_size: 128_256, num_key_value_heads: 8, max_position_embeddings: 131_072 };

/** Configs of models known without one, from their public `config.json`. */
export const KNOWN_CONFIGS: Readonly<Record<string, ModelConfig>> = {
  'llama-3.1-8b': { ...llama31, num_hidden_layers: 32, hidden_size: 4096, num_attention_heads: 32, intermediate_size: 14_336 },
  'llama-3.1-70b': { ...llama31, num_hidden_layers: 80, hidden_size: 8192, num_attention_heads: 64, intermediate_size: 28_672 },
  'qwen3-32b': {
    architectures: ['Qwen3ForCausalLM'],
    vocab_size: 151_936,
    num_hidden_layers: 64,
    hidden_size: 5120,
    num_attention_heads: 64,
    num_key_value_heads: 8,
    head_dim: 128,
    intermediate_size: 25_600,
    max_position_embeddings: 40_960,
  },
};

/** Shape of a declared model: from its own config, else from the known ones. @throws invalid-input when neither has it */
export function shapeOf(model: Model): ModelShape {
  const config = model.config ?? KNOWN_CONFIGS[model.name];
  if (!config) {
    throw new UellmError({
      kind: 'invalid-input',
      what: `model '${model.name}'`,
      issues: [
        {
          field: 'config',
          given: 'nothing',
          allowed: `a Hugging Face config.json; only ${Object.keys(KNOWN_CONFIGS).join(', ')} are known without one`,
        },
      ],
    });
  }
  return modelShape(model.name, config, model.dtype);
}
