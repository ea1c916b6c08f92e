/** A model: what someone declares (the Model object), and the shape that placement and profiling compute from its config. */
import { z } from 'zod';
import { type Architecture, architectureOf, modelConfigSchema } from './architecture.ts';
import { UellmError } from './errors.ts';
import { KNOWN_CONFIGS } from './known-models.ts';
import type { ModelConfig } from './model-config.ts';
import { activeParameters, cachedValuesPerLayer, parameterCounts, totalParameters } from './model-parameters.ts';
import { nameSchema } from './names.ts';
import { type Dtype, dtypeSchema, quantisationIssue, weightFormat, weightsBytes } from './quantisation.ts';

export { dtypeSchema, KNOWN_CONFIGS, type ModelConfig, modelConfigSchema };

export const modelSchema = z.strictObject({
  name: nameSchema,
  /** `hf://owner/name`, `hf://owner/name@revision`, `file:///path`. */
  source: z.string().regex(/^(hf:\/\/[\w.-]+\/[\w.-]+(@[\w./-]+)?|file:\/\/\/.+)$/, 'hf://OWNER/NAME[@REVISION] or file:///PATH'),
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
  /** Parts that tensor parallelism can split the KV cache into: KV heads; 1 for MLA, whose latent every accelerator holds whole. */
  kvHeads: number;
  /** Mean of a key's and a value's width. */
  headDim: number;
  parameters: number;
  /** Parameters that one token passes through: fewer than all in a mixture of experts. */
  activeParameters: number;
  /** Over all accelerators, quantised as the checkpoint is. */
  weightsBytes: number;
  /** Of a token, in 16 bits, as long as all layers hold it. */
  kvBytesPerToken: number;
  maxContextTokens: number;
  /** Absent where every token passes through every weight. Parameters and bytes are those of the routed experts of all layers. */
  routedExperts?: { perLayer: number; perToken: number; parameters: number; weightsBytes: number };
  /** Absent where all layers hold whole contexts. `share` is that of the layers (and so of `kvBytesPerToken`) which hold the last `tokens`. */
  slidingWindow?: { tokens: number; share: number };
  /** Weights and activations are 8-bit floats. */
  fp8Compute?: true;
  /** A sentence where its config names a quantisation that is not known, so that its weights count as those of the declared dtype. */
  quantisationNote?: string;
}

/** The cache stays 16-bit, whatever the weights are: an engine's `kv-cache-dtype` says otherwise. */
const KV_VALUE_BYTES = 2;

/**
 * Shape of a model from its config. `dtype` is that of its weights where the config has no `quantization_config`.
 * @throws invalid-input that names every field of the config that is missing or absurd
 */
export function modelShape(name: string, config: ModelConfig, dtype: Dtype): ModelShape {
  const architecture = architectureOf(config, `config of model '${name}'`);
  const counts = parameterCounts(architecture);
  const format = weightFormat(config, dtype);
  const issue = quantisationIssue(config);
  const weights = weightsBytes(counts, format);
  const { layers, experts, slidingWindow: window } = architecture;
  const kvBytesPerLayer = cachedValuesPerLayer(architecture) * KV_VALUE_BYTES;
  return {
    name,
    layers,
    hiddenSize: architecture.hiddenSize,
    ...heads(architecture.attention),
    parameters: totalParameters(counts),
    activeParameters: activeParameters(counts, architecture),
    weightsBytes: weights.total,
    kvBytesPerToken: layers * kvBytesPerLayer,
    maxContextTokens: architecture.maxContextTokens,
    ...(experts && {
      routedExperts: {
        perLayer: experts.perLayer,
        perToken: experts.perToken,
        parameters: counts.routedExperts,
        weightsBytes: weights.routedExperts,
      },
    }),
    ...(window && { slidingWindow: { tokens: window.tokens, share: window.layers / layers } }),
    ...(format.fp8Compute && { fp8Compute: true as const }),
    ...(issue && {
      quantisationNote: `${issue.field} of its config is ${issue.given}, allowed is ${issue.allowed}: its weights are counted as ${dtype}`,
    }),
  };
}

function heads(attention: Architecture['attention']): Pick<ModelShape, 'attentionHeads' | 'kvHeads' | 'headDim'> {
  if (attention.kind === 'grouped') return { attentionHeads: attention.heads, kvHeads: attention.kvHeads, headDim: attention.headDim };
  const { plainKeyDim, rotaryKeyDim, valueDim } = attention;
  return { attentionHeads: attention.heads, kvHeads: 1, headDim: (plainKeyDim + rotaryKeyDim + valueDim) / 2 };
}

/** Shape of a declared model: from its own config, else from the known ones. @throws invalid-input when neither has it */
export function shapeOf(model: Model): ModelShape {
  const config = model.config ?? (Object.hasOwn(KNOWN_CONFIGS, model.name) ? KNOWN_CONFIGS[model.name] : undefined);
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
