/** uellm's own trace lines: `{ arrivalMs, inputTokens, outputTokens, class?, prompt?, prefixBlocks? }`. */
import { z } from 'zod';
import { arrivalMsSchema, jsonLines, tokensSchema } from './rows.ts';

const rowSchema = z.object({
  arrivalMs: arrivalMsSchema,
  inputTokens: tokensSchema,
  outputTokens: tokensSchema,
  class: z.string().min(1).max(63).optional(),
  prompt: z.string().optional(),
  prefixBlocks: z.array(z.union([z.string(), z.number()])).optional(),
});

export const jsonlLine = jsonLines(rowSchema, (row) => row);
