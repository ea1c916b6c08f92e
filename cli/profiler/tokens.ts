/** Tokens of a text by cl100k, OpenAI's tokenizer of GPT-4's time. What looks like a special token in it is text like any other. */
import { countTokens as count } from 'gpt-tokenizer/encoding/cl100k_base';

const AS_TEXT = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

export function countTokens(text: string): number {
  return count(text, AS_TEXT);
}
