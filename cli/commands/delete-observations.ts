/** uellm delete observations --tenant NAME */
import type { Command } from 'commander';
import { counted } from '../../core/domain/counted.ts';
import { action } from '../command.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

export function addDeleteObservations(parent: Command, terminal: Terminal): void {
  withOutput(parent.command('observations').alias('observation'))
    .description('delete everything that was recorded of the requests of a tenant')
    .requiredOption('--tenant <name>', 'whose observations go')
    .action(
      action(terminal, async ({ client }, options: OutputOptions & { tenant: string }) => {
        const done = await client.deleteObservations(options.tenant);
        print(terminal, options, done, () => `${counted(done.deleted, 'observation')} of tenant '${done.tenant}' deleted\n`);
      }),
    );
}
