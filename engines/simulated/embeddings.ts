/** Embeddings of a simulated engine: directions drawn by a seed and the text, which mean nothing; equal texts have equal ones. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { parseInput } from '../../core/domain/validate.ts';
import { createRandom, hash32, normal } from '../../core/simulator/random.ts';
import { sendError } from './errors.ts';
import type { Reply } from './reply.ts';
import { contentOf, promptsSchema, tokensOfPrompt } from './request.ts';

export interface EmbeddingRequest {
  model: string;
  inputs: readonly { content: string; inputTokens: number }[];
  dimensions: number;
  encoding: 'float' | 'base64';
  priority: number;
}

/** Those of a small model for sentences. */
const DEFAULT_DIMENSIONS = 384;

const schema = z.looseObject({
  model: z.string(),
  input: promptsSchema,
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.number().int().min(1).max(4096).nullish(),
  priority: z.number().int().nullish(),
});

/** @throws invalid-input that names the field */
export function parseEmbeddingRequest(value: unknown): EmbeddingRequest {
  const body = parseInput(schema, value, 'request');
  const { input } = body;
  const isOne = typeof input === 'string' || typeof input[0] === 'number';
  const inputs = (isOne ? [input] : input) as (string | number[])[];
  return {
    model: body.model,
    inputs: inputs.map((one) => ({ content: contentOf(one), inputTokens: tokensOfPrompt(one) })),
    dimensions: body.dimensions ?? DEFAULT_DIMENSIONS,
    encoding: body.encoding_format ?? 'float',
    priority: body.priority ?? 0,
  };
}

/** Answers when the prompts of all inputs are through. */
export function createEmbeddingReply(request: EmbeddingRequest, seed: string, res: ServerResponse): Reply {
  let through = 0;
  return {
    begin() {},
    token() {
      through += 1;
      if (through < request.inputs.length || res.destroyed || res.writableEnded) return;
      const data = request.inputs.map(({ content }, index) => ({
        object: 'embedding',
        index,
        embedding: encoded(directionOf(`${seed}:${hash32(content)}`, request.dimensions), request.encoding),
      }));
      const tokens = request.inputs.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
      const head = { id: `embd-${randomUUID().replaceAll('-', '')}`, object: 'list', created: Math.floor(Date.now() / 1000) };
      const usage = { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0 };
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ ...head, model: request.model, system_fingerprint: 'simulated', data, usage }));
    },
    fail(error) {
      if (!res.destroyed && !res.writableEnded) sendError(res, error);
    },
  };
}

/** A unit vector. */
function directionOf(seed: string, dimensions: number): Float32Array {
  const random = createRandom(seed);
  const values = Float32Array.from({ length: dimensions }, () => normal(random));
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

function encoded(vector: Float32Array, encoding: EmbeddingRequest['encoding']): number[] | string {
  return encoding === 'float' ? [...vector] : Buffer.from(vector.buffer).toString('base64');
}
