/**
 * Lengths of real answers to instructions: AlpacaEval's prompts as twelve models answered them (tatsu-lab/alpaca_eval, Apache-2.0), where
 * ../shared/data lies beside the project; else lengths drawn from what was fitted to them.
 *
 * Tokens are characters divided by 4.2, in prompts and answers alike, as the gateway estimates prompts: no tokenizer is needed.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createRandom, lognormal } from '../../core/simulator/random.ts';

export interface Answer {
  /** '' where there is no text: lengths alone are drawn. */
  instruction: string;
  inputTokens: number;
  outputTokens: number;
}

export interface Answers {
  source: 'alpaca_eval' | 'synthetic';
  /** Of each model, to the same prompts in the same order. */
  byModel: Map<string, Answer[]>;
}

/** The model whose lengths are used: of the 7B chat models in the data, the one with the shortest answers, as the paper's were shorter yet. */
export const MODEL = 'vicuna-7b-v1.5';

export const CHARACTERS_PER_TOKEN = 4.2;
const FOLDER = 'data/prompts/alpaca_eval';

/**
 * Lognormals with the mean and variance of `MODEL`'s 561 answers (263 and 167 tokens) and the median and spread of the prompts. Prompts and
 * answers are drawn apart, as their lengths hardly correlate (0.01 between the logarithms).
 */
export const FITTED = { prompts: 561, input: { median: 26, sigma: 0.84 }, output: { median: 222, sigma: 0.58 } };

/** @param shared the folder `shared` */
export function loadAnswers(shared: string): Answers {
  const folder = join(shared, FOLDER);
  return existsSync(folder) ? { source: 'alpaca_eval', byModel: readAnswers(folder) } : syntheticAnswers();
}

function readAnswers(folder: string): Map<string, Answer[]> {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();
  return new Map(files.map((file) => [basename(file, '.jsonl'), readLines(join(folder, file))]));
}

function readLines(file: string): Answer[] {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => {
    const { instruction, output } = JSON.parse(line) as { instruction: string; output: string };
    return { instruction, inputTokens: tokensOf(instruction), outputTokens: tokensOf(output) };
  });
}

function tokensOf(text: string): number {
  return Math.max(1, Math.round(text.length / CHARACTERS_PER_TOKEN));
}

export function syntheticAnswers(): Answers {
  const random = createRandom('alpaca_eval');
  const draw = ({ median, sigma }: { median: number; sigma: number }) => Math.max(1, Math.round(lognormal(random, median, sigma)));
  const answers = Array.from({ length: FITTED.prompts }, () => ({
    instruction: '',
    inputTokens: draw(FITTED.input),
    outputTokens: draw(FITTED.output),
  }));
  return { source: 'synthetic', byModel: new Map([[MODEL, answers]]) };
}
