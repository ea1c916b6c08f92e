/**
 * How many parameters the parts of a model have, and what it caches of a token. Norms, biases and learned positions, well below 1 %
 * together, are not counted; modules for multi-token prediction are not either: engines load them for speculative decoding only.
 */
import type { Architecture } from './architecture.ts';

/** Parameters by part, over all layers. Parts are what quantisation tells apart. */
export interface ParameterCounts {
  /** Input and output embeddings; one matrix where they are tied. */
  embeddings: number;
  attention: number;
  /** Dense MLPs, and the experts that every token passes through. */
  mlp: number;
  routedExperts: number;
  router: number;
  /** The image encoder of a multimodal model, which is loaded with the rest. */
  vision: number;
}

export function parameterCounts(architecture: Architecture): ParameterCounts {
  const { layers, hiddenSize, vocabSize, tiedEmbeddings, dense, experts } = architecture;
  const shared = experts ? experts.layers * mlpParameters(architecture, experts.sharedIntermediateSize) : 0;
  return {
    embeddings: vocabSize * hiddenSize * (tiedEmbeddings ? 1 : 2),
    attention: layers * attentionParameters(architecture),
    mlp: dense.layers * mlpParameters(architecture, dense.intermediateSize) + shared,
    routedExperts: experts ? experts.layers * experts.perLayer * mlpParameters(architecture, experts.intermediateSize) : 0,
    router: experts ? experts.layers * experts.perLayer * hiddenSize : 0,
    vision: visionParameters(architecture.vision),
  };
}

export function totalParameters(counts: ParameterCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** What one token of text passes through. Both embeddings count, as most publishers do it; OpenAI leaves the input's out. */
export function activeParameters(counts: ParameterCounts, { experts }: Architecture): number {
  const idleShare = experts ? 1 - experts.perToken / experts.perLayer : 0;
  return totalParameters(counts) - counts.vision - counts.routedExperts * idleShare;
}

/** Of one layer: the projections of queries, keys, values and the output. */
function attentionParameters({ hiddenSize, attention }: Architecture): number {
  if (attention.kind === 'grouped') return hiddenSize * attention.headDim * 2 * (attention.heads + attention.kvHeads);
  const { heads, queryRank, kvRank, plainKeyDim, rotaryKeyDim, valueDim } = attention;
  const queryWidth = heads * (plainKeyDim + rotaryKeyDim);
  const query = queryRank === null ? hiddenSize * queryWidth : queryRank * (hiddenSize + queryWidth);
  const keyValue = hiddenSize * (kvRank + rotaryKeyDim) + kvRank * heads * (plainKeyDim + valueDim);
  return query + keyValue + hiddenSize * heads * valueDim;
}

function mlpParameters({ hiddenSize, mlpMatrices }: Architecture, intermediateSize: number): number {
  return mlpMatrices * hiddenSize * intermediateSize;
}

/** A plain transformer: four square projections and an MLP without a gate. */
function visionParameters(vision: Architecture['vision']): number {
  return vision ? vision.layers * vision.hiddenSize * (4 * vision.hiddenSize + 2 * vision.intermediateSize) : 0;
}

/** Values that one layer caches of a token: keys and values of every KV head, or (MLA) the latent and the rotary key. */
export function cachedValuesPerLayer({ attention }: Architecture): number {
  return attention.kind === 'grouped' ? 2 * attention.kvHeads * attention.headDim : attention.kvRank + attention.rotaryKeyDim;
}
