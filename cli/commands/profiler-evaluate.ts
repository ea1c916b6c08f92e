/** uellm profiler evaluate --train FILE --test FILE: how well answers' lengths are predicted */
import type { Command } from 'commander';
import { offlineAction } from '../command.ts';
import { withOutput } from '../output/print.ts';
import type { EvaluateOptions } from '../profiler/evaluate.ts';
import type { Terminal } from '../terminal.ts';

/** @param profiler the command group `uellm profiler` */
export function addProfilerEvaluate(profiler: Command, terminal: Terminal): void {
  withOutput(profiler.command('evaluate'))
    .description('how well the lengths of answers would be predicted; needs no installation')
    .requiredOption('--train <file>', 'lines of JSON { instruction, output } to learn from')
    .requiredOption('--test <file>', 'lines to be judged on')
    .option('--online', 'learn from the lines of --test too, each after it was predicted')
    .action(
      offlineAction(terminal, async (options: EvaluateOptions) => {
        // Loaded only when it runs: the tokenizer's table takes a while.
        const { evaluateCommand } = await import('../profiler/evaluate.ts');
        await evaluateCommand(terminal, options);
      }),
    );
}
