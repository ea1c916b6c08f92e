/**
 * Input tokens before the engine has counted them: tokenizing would cost more than all the rest of the gateway. Characters are divided by
 * the characters per token that each model's answers have reported so far.
 */
import type { PromptSize } from './prompt.ts';

type Length = Pick<PromptSize, 'characters' | 'tokens'>;

/** English prose and chat templates by the cl100k and Llama-3 tokenizers. */
const TYPICAL_CHARACTERS_PER_TOKEN = 4.2;
const LEARNING_RATE = 0.05;
/** Fewer characters say more of the chat template than of the text. */
const MIN_CHARACTERS = 64;

export class TokenEstimate {
  readonly #charactersPerToken = new Map<string, number>();

  /** At least 1. */
  inputTokens(model: string, { characters, tokens }: Length): number {
    return Math.max(1, Math.round(tokens + characters / this.#of(model)));
  }

  /** Learns from the prompt tokens that an engine reported. */
  learn(model: string, { characters, tokens }: Length, reportedTokens: number): void {
    const textTokens = reportedTokens - tokens;
    if (characters < MIN_CHARACTERS || textTokens <= 0) return;
    const seen = Math.min(16, Math.max(0.5, characters / textTokens));
    const known = this.#of(model);
    this.#charactersPerToken.set(model, known + LEARNING_RATE * (seen - known));
  }

  #of(model: string): number {
    return this.#charactersPerToken.get(model) ?? TYPICAL_CHARACTERS_PER_TOKEN;
  }
}
