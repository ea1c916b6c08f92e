/** uellm cost [DEPLOYMENT] [--tpot 30,50,100] */
import { type Command, InvalidArgumentError } from 'commander';
import { action, type CommandContext } from '../command.ts';
import { costText, nothingPriced } from '../cost-text.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

interface CostOptions extends OutputOptions {
  tpot: string;
}

export function addCost(program: Command, terminal: Terminal): void {
  withOutput(program.command('cost'))
    .description('what serving costs, by deployment and SLO policy, and what an SLO would cost at other TPOT targets')
    .argument('[deployment]', 'only this one')
    .option('--tpot <ms,...>', 'TPOT targets to price, ms', parseLevels, '30,50,100')
    .action(action(terminal, cost));
}

async function cost(
  { client, terminal }: CommandContext,
  deployment: string | undefined,
  { tpot, ...options }: CostOptions,
): Promise<void> {
  const answer = await client.cost({ deployment, tpotMs: tpot });
  const style = { columns: terminal.columns(), colour: terminal.colour };
  print(terminal, options, answer, () => costText(answer, style, { one: deployment }));
  for (const { message, nearest } of answer.refusals) terminal.err(`note: ${message}${nearest ? `; ${nearest}` : ''}\n`);
  if (nothingPriced(answer)) terminal.setExitCode(1);
}

/** How many there may be is the API's to say. */
function parseLevels(text: string): string {
  if (!/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/.test(text)) throw new InvalidArgumentError('Numbers of ms, with commas between them.');
  return text;
}
