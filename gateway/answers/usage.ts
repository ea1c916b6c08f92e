/** The token counts that engines report. */
import { JsonScanner, type Span, valueAt } from '../body/json-scan.ts';

export interface Usage {
  promptTokens: number | null;
  completionTokens: number | null;
}

/** From the `usage` object of an answer or of a stream's chunk; null where it has none. */
export function usageOf(answer: unknown): Usage | null {
  const usage = (answer as { usage?: unknown } | null)?.usage;
  if (typeof usage !== 'object' || usage === null) return null;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage as Record<string, unknown>;
  return { promptTokens: count(prompt), completionTokens: count(completion) };
}

/** From a whole answer, of which only this is made a value of. */
export function usageOfWhole(answer: Buffer): Usage | null {
  const scanner = new JsonScanner(answer);
  let usage: Span | null = null;
  try {
    if (!scanner.isObject()) return null;
    scanner.object((key) => {
      const span = scanner.value();
      if (key === 'usage') usage = span;
    });
    scanner.end();
  } catch {
    return null;
  }
  return usage && usageOf({ usage: valueAt(answer, usage) });
}

/** No request is so long: what an engine tells beyond is nonsense, and would spoil every sum that it comes into. */
const MAX_TOKENS = 1e9;

/** A number of tokens, as an engine tells it; null for what is none. */
export const count = (value: unknown) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS ? (value as number) : null;
