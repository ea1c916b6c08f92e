/** uellm diagnose [DEPLOYMENT] [--window SECONDS] */
import { type Command, InvalidArgumentError } from 'commander';
import { action, type CommandContext } from '../command.ts';
import { diagnosisText } from '../diagnosis-text.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

interface DiagnoseOptions extends OutputOptions {
  window?: number;
}

export function addDiagnose(program: Command, terminal: Terminal): void {
  withOutput(program.command('diagnose'))
    .description('which resource binds each replica, and what one more or one less accelerator would gain or lose')
    .argument('[deployment]', 'only this one')
    .option('--window <seconds>', 'look at requests that ended in so long (300)', parseSeconds)
    .action(action(terminal, diagnose));
}

async function diagnose(
  { client, terminal }: CommandContext,
  deployment: string | undefined,
  { window, ...options }: DiagnoseOptions,
): Promise<void> {
  const answer = await client.diagnosis({ deployment, windowSeconds: window });
  const style = { columns: terminal.columns(), colour: terminal.colour };
  print(terminal, options, answer, () => diagnosisText(answer, style, { one: deployment }));
  for (const { replicaId, reason } of answer.unknown) terminal.err(`note: nothing can be said of ${replicaId}: ${reason}\n`);
}

/** How long it may be is the API's to say. */
function parseSeconds(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('A number of seconds.');
  return Number(text);
}
