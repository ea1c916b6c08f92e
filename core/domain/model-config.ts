/** The `config.json` beside a model's weights, under all the names that families of models have for the same figures. */
import { z } from 'zod';

/** Above these somebody took the wrong field; below, work that goes over layers one by one stays short. */
const MOST = 1e8;
const MOST_LAYERS = 10_000;

const size = z.number().int().positive().max(MOST).nullish();
const atLeastZero = z.number().int().nonnegative().max(MOST).nullish();
const layers = z.number().int().positive().max(MOST_LAYERS).nullish();
const flag = z.boolean().nullish();
const names = z.array(z.string()).nullish();

const ropeSchema = z
  .looseObject({
    rope_type: z.string().nullish(),
    type: z.string().nullish(),
    factor: z.number().positive().max(MOST).nullish(),
    original_max_position_embeddings: size,
  })
  .nullish();

/** Some families say the same of the language model one level down, in `text_config`. */
const textFields = {
  model_type: z.string().nullish(),
  architectures: names,
  num_hidden_layers: layers,
  n_layer: layers,
  n_layers: layers,
  num_layers: layers,
  hidden_size: size,
  n_embd: size,
  d_model: size,
  vocab_size: size,
  padded_vocab_size: size,
  tie_word_embeddings: flag,

  num_attention_heads: size,
  n_head: size,
  n_heads: size,
  head_dim: size,
  kv_channels: size,
  num_key_value_heads: size,
  num_kv_heads: size,
  n_head_kv: size,
  multi_query_group_num: size,
  multi_query: flag,
  new_decoder_architecture: flag,

  // Multi-head latent attention.
  kv_lora_rank: size,
  q_lora_rank: size,
  qk_nope_head_dim: size,
  qk_rope_head_dim: size,
  v_head_dim: size,

  // Layers that look back only so many tokens.
  sliding_window: atLeastZero,
  use_sliding_window: flag,
  attention_chunk_size: atLeastZero,
  sliding_window_pattern: size,
  layer_types: names,

  intermediate_size: size,
  ffn_hidden_size: size,
  ffn_dim: size,
  n_inner: size,
  intermediate_size_mlp: size,

  // Mixtures of experts.
  num_local_experts: atLeastZero,
  num_experts: atLeastZero,
  n_routed_experts: atLeastZero,
  num_experts_per_tok: size,
  experts_per_token: size,
  moe_intermediate_size: size,
  n_shared_experts: atLeastZero,
  shared_expert_intermediate_size: atLeastZero,
  first_k_dense_replace: atLeastZero,
  moe_layer_freq: z.union([z.number().int().positive(), z.array(z.number().int().min(0).max(1))]).nullish(),
  interleave_moe_layer_step: size,
  decoder_sparse_step: size,
  mlp_only_layers: z.array(z.number().int().nonnegative()).max(MOST_LAYERS).nullish(),

  max_position_embeddings: size,
  n_positions: size,
  max_sequence_length: size,
  max_seq_len: size,
  seq_length: size,

  // The same under either name; what an engine stretches positions by.
  rope_scaling: ropeSchema,
  rope_parameters: ropeSchema,
};

const quantisationSchema = z.looseObject({
  quant_method: z.string().nullish(),
  quant_algo: z.string().nullish(),
  bits: z.number().positive().max(32).nullish(),
  w_bit: z.number().positive().max(32).nullish(),
  /** Weights that share a scale; -1 for a whole channel. */
  group_size: z.number().int().min(-1).max(MOST).nullish(),
  q_group_size: z.number().int().min(-1).max(MOST).nullish(),
  load_in_4bit: flag,
  load_in_8bit: flag,
  bnb_4bit_use_double_quant: flag,
  modules_to_not_convert: names,
  ignore: names,
  ignored_layers: names,
  exclude_modules: names,
  llm_int8_skip_modules: names,
  config_groups: z
    .record(
      z.string(),
      z.looseObject({
        weights: z
          .looseObject({
            num_bits: z.number().positive().max(32).nullish(),
            type: z.string().nullish(),
            group_size: z.number().int().min(-1).max(MOST).nullish(),
          })
          .nullish(),
        input_activations: z.looseObject({ num_bits: z.number().positive().max(32).nullish() }).nullish(),
      }),
    )
    .nullish(),
});
export type QuantisationConfig = z.infer<typeof quantisationSchema>;

const visionSchema = z.looseObject({ hidden_size: size, intermediate_size: size, num_hidden_layers: layers, depth: layers });

const textSchema = z.looseObject(textFields);
export type TextConfig = z.infer<typeof textSchema>;

/** Names of the fields that hold one number. */
export type SizeField = {
  [K in keyof typeof textFields]: z.infer<(typeof textFields)[K]> extends number | null | undefined ? K : never;
}[keyof typeof textFields];

/** Types of all fields that are read. Others pass: the file is somebody else's format. Whether they make a model, `architectureOf` says. */
export const configFieldsSchema = z.looseObject({
  ...textFields,
  text_config: textSchema.nullish(),
  llm_config: textSchema.nullish(),
  language_config: textSchema.nullish(),
  vision_config: visionSchema.nullish(),
  quantization_config: quantisationSchema.nullish(),
  compression_config: quantisationSchema.nullish(),
});
export type ModelConfig = z.infer<typeof configFieldsSchema>;
