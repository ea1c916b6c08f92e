/** What a model is made of, read from its `config.json`: one set of names for all families. */
import { configFieldsSchema, type ModelConfig, type SizeField, type TextConfig } from './model-config.ts';
import { familyOf, type ModelFamily } from './model-families.ts';
import { parseInput } from './validate.ts';

/** Queries of several heads share the key and value of one (GQA; MQA with one KV head, MHA with as many as heads). */
export interface GroupedAttention {
  kind: 'grouped';
  heads: number;
  kvHeads: number;
  headDim: number;
}

/** Keys and values of all heads unfold from one latent vector a token (MLA, DeepSeek). */
export interface LatentAttention {
  kind: 'latent';
  heads: number;
  /** Null: queries are not compressed. */
  queryRank: number | null;
  kvRank: number;
  /** Of a key: the part that unfolds from the latent, and the part with rotary positions, which is cached beside it. */
  plainKeyDim: number;
  rotaryKeyDim: number;
  valueDim: number;
}

export interface Architecture {
  layers: number;
  hiddenSize: number;
  vocabSize: number;
  tiedEmbeddings: boolean;
  attention: GroupedAttention | LatentAttention;
  mlpMatrices: 2 | 3;
  dense: { layers: number; intermediateSize: number };
  /** Null where every token passes through every weight. */
  experts: {
    layers: number;
    /** Routed experts of one layer, and those of them that a token passes through. */
    perLayer: number;
    perToken: number;
    intermediateSize: number;
    /** Of the experts that every token passes through, together. */
    sharedIntermediateSize: number;
  } | null;
  /** Null where all layers look back equally far. */
  slidingWindow: { tokens: number; layers: number } | null;
  /** The image encoder of a multimodal checkpoint; null without one. */
  vision: { layers: number; hiddenSize: number; intermediateSize: number } | null;
  maxContextTokens: number;
}

/** Hugging Face's `config.json`, of any decoder that `architectureOf` can read. */
export const modelConfigSchema = configFieldsSchema.superRefine((config, ctx) => {
  // Figures that are out of bounds come here, too.
  if (ctx.issues.length > 0) return;
  for (const issue of read(config).issues) ctx.addIssue({ code: 'custom', path: issue.path, message: issue.allowed });
});

/** @param what what the config is of, as the error calls it @throws invalid-input that names every field that is missing or absurd */
export function architectureOf(config: ModelConfig, what: string): Architecture {
  return read(parseInput(modelConfigSchema, config, what)).architecture;
}

const HIDDEN = ['hidden_size', 'n_embd', 'd_model'] as const;
const HEADS = ['num_attention_heads', 'n_head', 'n_heads'] as const;
const KV_HEADS = ['num_key_value_heads', 'num_kv_heads', 'n_head_kv', 'multi_query_group_num'] as const;
const EXPERTS_PER_TOKEN = ['num_experts_per_tok', 'experts_per_token'] as const;

interface Issue {
  path: string[];
  allowed: string;
}

/** Fields of the language model, and what is wrong with them so far. */
interface Fields {
  text: TextConfig;
  family: ModelFamily;
  issues: Issue[];
  /** The first of these names that has a value. */
  find(...names: SizeField[]): number | undefined;
  /** The same; an issue and NaN where none has one. */
  need(...names: SizeField[]): number;
  /** An issue with the field that `find` found. */
  refuse(allowed: string, ...names: SizeField[]): void;
}

function fieldsOf(config: ModelConfig): Fields {
  const nested = (['text_config', 'llm_config', 'language_config'] as const).find((name) => config[name]);
  const own: TextConfig = nested ? { ...config, ...config[nested] } : config;
  const family = familyOf(own);
  const text: TextConfig = { ...family.defaults, ...own };
  const issues: Issue[] = [];
  const given = (names: readonly SizeField[]) => names.find((name) => text[name] != null);
  const find = (...names: SizeField[]) => {
    const name = given(names);
    return name === undefined ? undefined : (text[name] as number);
  };
  const refuse = (allowed: string, ...names: SizeField[]) => {
    const name = given(names) ?? names[0]!;
    const isNested = nested && (config[nested]?.[name] !== undefined || config[name] === undefined);
    issues.push({ path: isNested ? [nested, name] : [name], allowed });
  };
  const need = (...names: SizeField[]) => {
    const value = find(...names);
    if (value !== undefined) return value;
    const others = names.slice(1).join(', ');
    refuse(`a whole number above 0${others && ` (or as ${others})`}`, ...names);
    return Number.NaN;
  };
  return { text, family, issues, find, need, refuse };
}

function read(config: ModelConfig): { architecture: Architecture; issues: Issue[] } {
  const fields = fieldsOf(config);
  const { text, family, need } = fields;
  const layers = need('num_hidden_layers', 'n_layer', 'n_layers', 'num_layers');
  const hiddenSize = need(...HIDDEN);
  const vocabSize = need('vocab_size', 'padded_vocab_size');
  const experts = expertsOf(fields, layers);
  const denseLayers = layers - (experts?.layers ?? 0);
  const architecture: Architecture = {
    layers,
    hiddenSize,
    vocabSize,
    tiedEmbeddings: text.tie_word_embeddings ?? family.tiedEmbeddings,
    attention: text.kv_lora_rank ? latentAttention(fields) : groupedAttention(fields, hiddenSize),
    mlpMatrices: family.mlpMatrices,
    dense: { layers: denseLayers, intermediateSize: denseLayers === 0 ? 0 : denseSize(fields, hiddenSize) },
    experts,
    slidingWindow: slidingWindowOf(fields, layers),
    vision: visionOf(config),
    maxContextTokens: contextTokensOf(fields),
  };
  return { architecture, issues: fields.issues };
}

function groupedAttention({ text, find, need, refuse }: Fields, hiddenSize: number): GroupedAttention {
  const heads = need(...HEADS);
  // Falcon's first models say that queries share one key, and then how many keys there would be without.
  const oneKey = text.multi_query === true && !text.new_decoder_architecture;
  const kvHeads = oneKey ? 1 : (find(...KV_HEADS) ?? heads);
  if (heads % kvHeads > 0) refuse(`a divisor of the ${heads} attention heads`, ...KV_HEADS);
  const headDim = find('head_dim', 'kv_channels') ?? hiddenSize / heads;
  if (headDim % 1 > 0) refuse(`a multiple of the ${heads} attention heads, where there is no head_dim`, ...HIDDEN);
  return { kind: 'grouped', heads, kvHeads, headDim };
}

function latentAttention({ find, need }: Fields): LatentAttention {
  return {
    kind: 'latent',
    heads: need(...HEADS),
    queryRank: find('q_lora_rank') ?? null,
    kvRank: need('kv_lora_rank'),
    plainKeyDim: need('qk_nope_head_dim'),
    rotaryKeyDim: need('qk_rope_head_dim'),
    valueDim: need('v_head_dim'),
  };
}

/** Families without a gate take four times the hidden size where they do not say. */
function denseSize({ family, find, need }: Fields, hiddenSize: number): number {
  const fields = ['intermediate_size_mlp', 'intermediate_size', 'ffn_hidden_size', 'ffn_dim', 'n_inner'] as const;
  const given = find(...fields);
  if (given !== undefined) return given;
  return family.mlpMatrices === 2 ? 4 * hiddenSize : need('intermediate_size', 'ffn_hidden_size');
}

function expertsOf({ text, find, need, refuse }: Fields, layers: number): Architecture['experts'] {
  const perLayer = find('num_local_experts', 'num_experts', 'n_routed_experts') ?? 1;
  const withExperts = Array.from({ length: layers }, (_, layer) => layer).filter((layer) => hasExperts(text, layer)).length;
  if (perLayer <= 1 || withExperts === 0) return null;
  const perToken = need(...EXPERTS_PER_TOKEN);
  if (perToken > perLayer) refuse(`at most the ${perLayer} experts that there are`, ...EXPERTS_PER_TOKEN);
  const intermediateSize = need('moe_intermediate_size', 'intermediate_size');
  const sharedIntermediateSize = text.shared_expert_intermediate_size ?? (text.n_shared_experts ?? 0) * intermediateSize;
  return { layers: withExperts, perLayer, perToken, intermediateSize, sharedIntermediateSize };
}

/** DeepSeek begins with dense layers, Llama 4 and Qwen put one in between, and some list them. */
function hasExperts(text: TextConfig, layer: number): boolean {
  const { first_k_dense_replace, moe_layer_freq, interleave_moe_layer_step, decoder_sparse_step, mlp_only_layers } = text;
  if (Array.isArray(moe_layer_freq)) return moe_layer_freq[layer] === 1;
  return (
    layer >= (first_k_dense_replace ?? 0) &&
    layer % (moe_layer_freq ?? 1) === 0 &&
    (layer + 1) % (interleave_moe_layer_step ?? 1) === 0 &&
    (layer + 1) % (decoder_sparse_step ?? 1) === 0 &&
    !mlp_only_layers?.includes(layer)
  );
}

/** Null too where every layer slides: such a model is taken for one that sees whole contexts, which errs on the careful side. */
function slidingWindowOf({ text, family, find }: Fields, layers: number): Architecture['slidingWindow'] {
  const tokens = find('sliding_window', 'attention_chunk_size');
  if (!tokens || text.use_sliding_window === false) return null;
  const every = text.sliding_window_pattern ?? family.fullAttentionEvery;
  const sliding = text.layer_types
    ? text.layer_types.slice(0, layers).filter((type) => type === 'sliding_attention' || type === 'chunked_attention').length
    : every > 0
      ? layers - Math.floor(layers / every)
      : 0;
  return sliding > 0 && sliding < layers ? { tokens, layers: sliding } : null;
}

/** Where no field states it. */
const USUAL_CONTEXT_TOKENS = 8192;

/**
 * As engines derive it (vLLM's `max_model_len`): positions, which linear and dynamic rope scaling stretch. Configs of other kinds state the
 * stretched length already, some with YaRN only as a factor. A window bounds what layers look back at, not the context.
 */
function contextTokensOf({ text, find }: Fields): number {
  const positions =
    find('max_position_embeddings', 'n_positions', 'max_sequence_length', 'max_seq_len', 'seq_length') ?? USUAL_CONTEXT_TOKENS;
  const rope = text.rope_scaling ?? text.rope_parameters;
  const type = rope?.rope_type ?? rope?.type;
  const factor = text.model_type?.startsWith('gemma3') ? 1 : (rope?.factor ?? 1);
  if (type === 'yarn') return Math.max(positions, Math.floor((rope?.original_max_position_embeddings ?? positions) * factor));
  return type === 'linear' || type === 'dynamic' ? Math.floor(positions * factor) : positions;
}

function visionOf({ vision_config: vision }: ModelConfig): Architecture['vision'] {
  const depth = vision?.num_hidden_layers ?? vision?.depth;
  if (!vision?.hidden_size || !vision.intermediate_size || !depth) return null;
  return { layers: depth, hiddenSize: vision.hidden_size, intermediateSize: vision.intermediate_size };
}
