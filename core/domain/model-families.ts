/** What families of models leave out of their `config.json` because their own code knows it. */
import type { TextConfig } from './model-config.ts';

export interface ModelFamily {
  /** Input and output embeddings are one matrix unless the config says otherwise. */
  tiedEmbeddings: boolean;
  /** Of one MLP: up and down, and in most families a gate. */
  mlpMatrices: 2 | 3;
  /** Every so many layers one sees the whole context and the others a window, where the config gives no list of layers; 0: all alike. */
  fullAttentionEvery: number;
  /** Fields that configs of the family leave out. */
  defaults: Partial<TextConfig>;
}

const PLAIN: ModelFamily = { tiedEmbeddings: false, mlpMatrices: 3, fullAttentionEvery: 0, defaults: {} };
const UNGATED: ModelFamily = { ...PLAIN, mlpMatrices: 2 };
const UNGATED_TIED: ModelFamily = { ...UNGATED, tiedEmbeddings: true };
const TIED: ModelFamily = { ...PLAIN, tiedEmbeddings: true };

/** By `model_type` without underscores. Source: the configuration classes of Hugging Face transformers; all others are PLAIN. */
const FAMILIES: ReadonlyMap<string, ModelFamily> = new Map<string, ModelFamily>([
  ['gpt2', UNGATED_TIED],
  ['gptbigcode', UNGATED_TIED],
  ['opt', UNGATED_TIED],
  ['bloom', UNGATED_TIED],
  ['mpt', UNGATED_TIED],
  ['falcon', UNGATED_TIED],
  ['refinedweb', UNGATED_TIED],
  ['refinedwebmodel', UNGATED_TIED],
  ['starcoder2', UNGATED_TIED],
  ['gptj', UNGATED],
  ['gptneox', UNGATED],
  ['phi', UNGATED],
  ['nemotron', UNGATED],
  ['gemma', TIED],
  ['gemma2', { ...TIED, fullAttentionEvery: 2 }],
  [
    'gemma3',
    {
      ...TIED,
      fullAttentionEvery: 6,
      defaults: {
        vocab_size: 262_208,
        num_attention_heads: 8,
        num_key_value_heads: 4,
        head_dim: 256,
        sliding_window: 4096,
        max_position_embeddings: 131_072,
      },
    },
  ],
  ['cohere', TIED],
  ['cohere2', { ...TIED, fullAttentionEvery: 4 }],
  ['gptoss', { ...PLAIN, fullAttentionEvery: 2 }],
  ['llama4', { ...PLAIN, fullAttentionEvery: 4, defaults: { n_shared_experts: 1 } }],
]);

export function familyOf({ model_type, architectures }: TextConfig): ModelFamily {
  const name = model_type ?? architectures?.[0]?.replace(/(ForCausalLM|ForConditionalGeneration|LMHeadModel)$/, '') ?? '';
  const key = name.toLowerCase().replace(/[_-]/g, '').replace(/text$/, '');
  return FAMILIES.get(key) ?? PLAIN;
}
