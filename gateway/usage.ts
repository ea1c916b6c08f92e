/** The token counts that engines report. */
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

/** From the text of a whole answer. */
export function usageOfText(text: string): Usage | null {
  try {
    return usageOf(JSON.parse(text));
  } catch {
    return null;
  }
}

const count = (value: unknown) => (Number.isInteger(value) && (value as number) >= 0 ? (value as number) : null);
