/** `uellm profiler evaluate`: how well the profiler would predict the answers of one file after learning those of another. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { type Evaluation, type Example, evaluate } from '../../core/profiler/evaluate.ts';
import { type OutputOptions, print } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { countTokens } from './tokens.ts';

export interface EvaluateOptions extends OutputOptions {
  train: string;
  test: string;
  online?: boolean;
}

/** @throws invalid-input for a file that cannot be read or has no usable line */
export async function evaluateCommand(terminal: Terminal, options: EvaluateOptions): Promise<void> {
  const train = await readExamples('--train', options.train);
  const test = await readExamples('--test', options.test);
  const nowMicros = () => performance.now() * 1000;
  const evaluation = evaluate({ train: train.examples, test: test.examples, online: options.online ?? false, nowMicros });
  print(terminal, options, evaluation, () => renderEvaluation(evaluation, train.examples.length));
  for (const note of new Set([...train.notes, ...test.notes])) terminal.err(`note: ${note}\n`);
}

/** Lines of `{ instruction, output }`; others are counted and named, never dropped in silence. */
async function readExamples(flag: string, path: string): Promise<{ examples: Example[]; notes: string[] }> {
  const examples: Example[] = [];
  const refused: number[] = [];
  let lines = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      lines++;
      // A byte order mark, as some editors begin a file with, is no part of its first line.
      const text = lines === 1 ? line.replace(/^\uFEFF/, '') : line;
      if (text.trim() === '') continue;
      const example = readExample(text);
      if (example) examples.push(example);
      else refused.push(lines);
    }
  } catch (error) {
    throw unusable(flag, `${JSON.stringify(path)} (${messageOf(error)})`, 'a file that can be read', error);
  }
  if (examples.length === 0) {
    const allowed = 'lines of JSON { "instruction": text, "output": text }, the output not empty';
    throw unusable(flag, `${JSON.stringify(path)}: ${lines} lines, none of them usable`, allowed);
  }
  const which = refused.slice(0, 5).join(', ') + (refused.length > 5 ? ', ...' : '');
  const note = `${path}: ${refused.length} of ${lines} lines have no instruction and output and are left out (line ${which})`;
  return { examples, notes: refused.length > 0 ? [note] : [] };
}

function readExample(line: string): Example | null {
  try {
    const { instruction, output } = JSON.parse(line) as { instruction?: unknown; output?: unknown };
    if (typeof instruction !== 'string' || typeof output !== 'string' || output === '') return null;
    return { instruction, outputTokens: countTokens(output) };
  } catch {
    return null;
  }
}

function renderEvaluation(evaluation: Evaluation, trainedOn: number): string {
  const { requests, spearman, maeTokens, maeConstantMedianTokens, coverage90, predictMicros } = evaluation;
  const better = 100 * (1 - maeTokens / maeConstantMedianTokens);
  const compared = Number.isFinite(better) ? ` (ours ${Math.abs(better).toFixed(1)} % ${better < 0 ? 'more' : 'less'})` : '';
  const rows = [
    ['trained on, judged on', `${trainedOn}, ${requests} answers`],
    ['rank correlation (Spearman)', spearman.toFixed(3)],
    ['mean absolute error of the p50', `${maeTokens.toFixed(1)} tokens`],
    ['of the constant median', `${maeConstantMedianTokens.toFixed(1)} tokens${compared}`],
    ['answers within the p90', `${(100 * coverage90).toFixed(1)} %`],
    ['features and prediction', `${predictMicros.p50.toFixed(1)} us at p50, ${predictMicros.p99.toFixed(1)} us at p99`],
  ];
  const width = Math.max(...rows.map(([label]) => label!.length));
  return `${rows.map(([label, value]) => `${label!.padEnd(width)}  ${value}`).join('\n')}\n`;
}

function unusable(flag: string, given: string, allowed: string, cause?: unknown): UellmError {
  return new UellmError({ kind: 'invalid-input', what: 'the command line', issues: [{ field: flag, given, allowed }] }, { cause });
}
