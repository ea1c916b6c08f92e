/** Mooncake's traces (kvcache-ai/Mooncake): milliseconds, lengths, and ids of the prompt's 512-token blocks. */
import { z } from 'zod';
import { arrivalMsSchema, isArrivalMs, isTokens, jsonLines, tokensSchema } from './rows.ts';

const rowSchema = z.object({
  timestamp: arrivalMsSchema,
  input_length: tokensSchema,
  output_length: tokensSchema,
  hash_ids: z.array(z.number().int()).optional(),
});

export const mooncakeLines = jsonLines(
  rowSchema,
  (row) =>
    isArrivalMs(row.timestamp) &&
    isTokens(row.input_length) &&
    isTokens(row.output_length) &&
    (row.hash_ids === undefined || (Array.isArray(row.hash_ids) && row.hash_ids.every(Number.isSafeInteger))),
  (row) => ({
    arrivalMs: row.timestamp,
    inputTokens: row.input_length,
    outputTokens: row.output_length,
    prefixBlocks: row.hash_ids,
  }),
);
