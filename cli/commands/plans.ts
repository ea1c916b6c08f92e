/** uellm plans diff FROM TO: how placement differs between two plans */
import type { Command } from 'commander';
import { action } from '../command.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import { planDiffText } from '../plan-diff-text.ts';
import type { Terminal } from '../terminal.ts';

export function addPlans(program: Command, terminal: Terminal): void {
  const plans = program.command('plans').description('the placement history; `get plans` lists it');
  withOutput(plans.command('diff'))
    .description('what came, went, moved and changed its shape between two plans, and what that did to the money')
    .argument('<from>', 'id of one plan')
    .argument('<to>', 'id of another; whichever is older is taken first')
    .action(
      action(terminal, async ({ client }, from: string, to: string, options: OutputOptions) => {
        const diff = await client.planDiff(from, to);
        print(terminal, options, diff, () => planDiffText(diff, { columns: terminal.columns(), colour: terminal.colour }));
      }),
    );
}
