/** AlpacaEval's prompts with the answers of twelve models (tatsu-lab/alpaca_eval, Apache-2.0), from ../shared/data; absent there, absent here. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { countTokens } from '../../cli/profiler/tokens.ts';

export interface PromptData {
  prompts: string[];
  /** Tokens of the answers by cl100k, of each model in the order of the prompts. */
  outputTokens: Map<string, number[]>;
}

/** @param data the folder `shared/data` @returns null where it is not there */
export function loadPrompts(data: string): PromptData | null {
  const folder = join(data, 'prompts', 'alpaca_eval');
  if (!existsSync(folder)) return null;
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  const read = files.sort().map((file) => {
    const lines = readFileSync(join(folder, file), 'utf8').split('\n').filter(Boolean);
    return { model: basename(file, '.jsonl'), answers: lines.map((line) => JSON.parse(line) as { instruction: string; output: string }) };
  });
  const prompts = read[0]!.answers.map(({ instruction }) => instruction);
  for (const { model, answers } of read) {
    if (answers.some(({ instruction }, i) => instruction !== prompts[i])) throw new Error(`${model} answers other prompts than the rest`);
  }
  const outputTokens = new Map(read.map(({ model, answers }) => [model, answers.map(({ output }) => Math.max(1, countTokens(output)))]));
  return { prompts, outputTokens };
}
