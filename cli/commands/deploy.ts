/** uellm deploy NAME [--watch] */
import type { Command } from 'commander';
import { action, type CommandContext } from '../command.ts';
import { createProgress } from '../output/live.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import { followRollout, requireEnd } from '../rollouts.ts';
import type { Terminal } from '../terminal.ts';

export interface WatchOptions extends OutputOptions {
  watch?: boolean;
}

export function addDeploy(program: Command, terminal: Terminal): void {
  withOutput(program.command('deploy'))
    .description('roll out a deployment as it is declared now')
    .argument('<name>', 'name of the deployment')
    .option('--watch', 'show how it goes until it is over; exit 1 unless it succeeds')
    .action(action(terminal, (context, name: string, options: WatchOptions) => rollOut(context, name, undefined, options)));
}

/** Starts a rollout, of an earlier revision where one is given, and follows it where asked. */
export async function rollOut(
  { client, terminal }: CommandContext,
  name: string,
  revision: number | undefined,
  options: WatchOptions,
): Promise<void> {
  const started = await client.startRollout(name, revision);
  const { reason } = started.status;
  const hello = `rollout ${started.id} of revision ${started.revision} started${reason === 'accepted' ? '' : `, and ${reason}`}`;
  if (!options.watch) {
    print(terminal, options, started, () => `${hello}; follow it: uellm rollout status ${name} --watch\n`);
    return;
  }
  const progress = createProgress(terminal, { resultOnly: options.output !== 'table' });
  progress.note(hello);
  const ended = await followRollout(client, started.id, terminal, progress);
  print(terminal, options, ended, () => ''); // people have seen it
  requireEnd(ended, 'succeeded');
}
