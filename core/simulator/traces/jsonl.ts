/** uellm's own trace lines: `{ arrivalMs, inputTokens, outputTokens, class?, prompt?, prefixBlocks? }`. */
import { z } from 'zod';
import { arrivalMsSchema, isArrivalMs, isTokens, jsonLines, tokensSchema } from './rows.ts';

const rowSchema = z.object({
  arrivalMs: arrivalMsSchema,
  inputTokens: tokensSchema,
  outputTokens: tokensSchema,
  class: z.string().min(1).max(63).optional(),
  prompt: z.string().optional(),
  prefixBlocks: z.array(z.union([z.string(), z.number()])).optional(),
});

export const jsonlLines = jsonLines(
  rowSchema,
  (row) =>
    isArrivalMs(row.arrivalMs) &&
    isTokens(row.inputTokens) &&
    isTokens(row.outputTokens) &&
    (row.class === undefined || (typeof row.class === 'string' && row.class.length >= 1 && row.class.length <= 63)) &&
    (row.prompt === undefined || typeof row.prompt === 'string') &&
    (row.prefixBlocks === undefined || (Array.isArray(row.prefixBlocks) && row.prefixBlocks.every(isBlock))),
  ({ arrivalMs, inputTokens, outputTokens, class: className, prompt, prefixBlocks }) => ({
    arrivalMs,
    inputTokens,
    outputTokens,
    class: className,
    prompt,
    prefixBlocks,
  }),
);

const isBlock = (id: unknown) => typeof id === 'string' || Number.isFinite(id);
