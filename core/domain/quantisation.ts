/** Bytes of a model's weights: what its checkpoint says of its quantisation, else the `dtype` it was declared with. */
import { z } from 'zod';
import type { FieldIssue } from './errors.ts';
import type { ModelConfig, QuantisationConfig } from './model-config.ts';
import { type ParameterCounts, totalParameters } from './model-parameters.ts';

export const dtypeSchema = z.enum(['bf16', 'fp16', 'fp8', 'int8', 'int4']);
export type Dtype = z.infer<typeof dtypeSchema>;

const FULL_BITS = 16;

export interface WeightFormat {
  /** Of one quantised weight, its part of scales and zero points included. */
  bits: number;
  /** Activations are 8-bit floats too, so that accelerators with fp8 units compute in them; all others compute in 16 bits. */
  fp8Compute: boolean;
  /** Attention projections keep their 16 bits. Embeddings, routers and image encoders always do. */
  fullAttention: boolean;
  /** Only routed experts are quantised. */
  expertsOnly: boolean;
}

const FULL: WeightFormat = { bits: FULL_BITS, fp8Compute: false, fullAttention: true, expertsOnly: false };

/** Groups of 128 with 16-bit scales and zero points are what GPTQ and AWQ tools write where they are not told otherwise. */
const USUAL_GROUP = 128;

const DTYPES: Readonly<Record<Dtype, WeightFormat>> = {
  bf16: FULL,
  fp16: FULL,
  fp8: { ...FULL, bits: 8, fp8Compute: true, fullAttention: false },
  int8: { ...FULL, bits: 8, fullAttention: false },
  int4: { ...FULL, bits: withScales(4, USUAL_GROUP), fullAttention: false },
};

type Reading = Pick<WeightFormat, 'bits'> & Partial<WeightFormat>;

type Method = (q: QuantisationConfig) => Reading | undefined;

/** By `quant_method`. */
const METHODS = new Map<string, Method>([
  ['gptq', packed],
  ['gptq_marlin', packed],
  ['awq', packed],
  ['awq_marlin', packed],
  ['auto-round', packed],
  ['fp8', float8],
  ['fbgemm_fp8', float8],
  ['mxfp4', () => ({ bits: 4 + 8 / 32, expertsOnly: true })],
  ['bitsandbytes', bitsAndBytes],
  ['compressed-tensors', compressedTensors],
  ['modelopt', modelOptimizer],
  ['modelopt_fp4', modelOptimizer],
]);

/** A method that nobody here knows counts as none: the declared `dtype` then decides, and bf16 errs on the large side. */
export function weightFormat(config: ModelConfig, dtype: Dtype): WeightFormat {
  const q = quantisationOf(config);
  const reading = q && readingOf(q);
  if (!reading) return DTYPES[dtype];
  // A list that spares attention in some layers is taken to spare it in all: weights are rather a little too large.
  const fullAttention = sparedModules(q).some((name) => name.includes('attn') || name.includes('attention'));
  return { fp8Compute: false, expertsOnly: false, fullAttention, ...reading };
}

/** What is wrong with a config's quantisation, so that its weights count as those of its `dtype`; null where nothing is. */
export function quantisationIssue(config: ModelConfig): FieldIssue | null {
  const q = quantisationOf(config);
  if (!q || readingOf(q)) return null;
  const at = config.quantization_config ? 'quantization_config' : 'compression_config';
  const method = q.quant_method ?? '';
  return METHODS.has(method.toLowerCase())
    ? { field: at, given: JSON.stringify(q), allowed: `what ${method} says of its bits` }
    : {
        field: `${at}.quant_method`,
        given: method ? JSON.stringify(method) : 'nothing',
        allowed: `one of ${[...METHODS.keys()].join(', ')}`,
      };
}

function quantisationOf(config: ModelConfig): QuantisationConfig | undefined {
  return config.quantization_config ?? config.compression_config ?? undefined;
}

function readingOf(q: QuantisationConfig): Reading | undefined {
  return METHODS.get(q.quant_method?.toLowerCase() ?? '')?.(q);
}

/** Bytes of the weights over all accelerators; and of those of them that are routed experts. */
export function weightsBytes(counts: ParameterCounts, format: WeightFormat): { total: number; routedExperts: number } {
  const { attention, mlp, routedExperts } = counts;
  const quantised = routedExperts + (format.expertsOnly ? 0 : mlp + (format.fullAttention ? 0 : attention));
  const full = totalParameters(counts) - quantised;
  return { total: (full * FULL_BITS + quantised * format.bits) / 8, routedExperts: (routedExperts * format.bits) / 8 };
}

function withScales(bits: number, groupSize: number): number {
  return groupSize > 0 ? bits + (16 + bits) / groupSize : bits;
}

function packed(q: QuantisationConfig): Reading {
  return { bits: withScales(q.bits ?? q.w_bit ?? 4, q.group_size ?? q.q_group_size ?? USUAL_GROUP) };
}

/** Scales by tensor, channel or block of 128 x 128 are too few to count. */
function float8(): Reading {
  return { bits: 8, fp8Compute: true };
}

/** NF4 keeps a 32-bit scale for 64 weights, or an 8-bit one and a second level over 256 of those. */
function bitsAndBytes(q: QuantisationConfig): Reading | undefined {
  if (q.load_in_4bit) return { bits: 4 + (q.bnb_4bit_use_double_quant ? 8 / 64 + 32 / (64 * 256) : 32 / 64) };
  return q.load_in_8bit ? { bits: 8 } : undefined;
}

/** The widest of its groups counts for all. */
function compressedTensors(q: QuantisationConfig): Reading | undefined {
  const readings = Object.values(q.config_groups ?? {}).flatMap(({ weights, input_activations }): Reading[] => {
    if (!weights?.num_bits) return [];
    const float = weights.type === 'float';
    const bits = float
      ? weights.num_bits + scaleBits(weights.num_bits, weights.group_size)
      : withScales(weights.num_bits, weights.group_size ?? -1);
    return [{ bits, fp8Compute: float && weights.num_bits === 8 && input_activations?.num_bits === 8 }];
  });
  return readings.sort((a, b) => b.bits - a.bits)[0];
}

/** Floats of 4 bits share an 8-bit scale in groups of 16 (NVFP4) or 32 (MXFP4). */
function scaleBits(bits: number, groupSize: number | null | undefined): number {
  return bits === 4 && groupSize && groupSize > 0 ? 8 / groupSize : 0;
}

function modelOptimizer(q: QuantisationConfig): Reading | undefined {
  const algorithm = q.quant_algo?.toUpperCase() ?? '';
  if (algorithm.startsWith('FP8')) return float8();
  if (algorithm === 'NVFP4' || q.quant_method === 'modelopt_fp4') return { bits: 4 + 8 / 16 };
  return compressedTensors(q);
}

function sparedModules(q: QuantisationConfig): string[] {
  return [q.modules_to_not_convert, q.ignore, q.ignored_layers, q.exclude_modules, q.llm_int8_skip_modules].flatMap((list) => list ?? []);
}
