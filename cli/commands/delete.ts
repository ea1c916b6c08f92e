/** uellm delete KIND NAME [--drain], and `delete observations`, `delete key` */
import type { Command } from 'commander';
import type { DeclaredCollection } from '../../api/client.ts';
import { action } from '../command.ts';
import { parseDeclaredKind, singular } from '../kinds.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { addDeleteObservations } from './delete-observations.ts';
import { addDeleteKey } from './keys.ts';

interface DeleteOptions extends OutputOptions {
  drain?: boolean;
}

export function addDelete(program: Command, terminal: Terminal): void {
  const command = withOutput(program.command('delete'))
    .description('delete an object that nothing uses any more')
    .argument('<kind>', 'host, model, slo-policy, tenant or deployment', parseDeclaredKind)
    .argument('<name>', 'its name')
    .option('--drain', 'of a deployment that still serves: drain and stop its replicas')
    .action(
      action(terminal, async ({ client }, collection: DeclaredCollection, name: string, options: DeleteOptions) => {
        await client.remove(collection, name, options);
        print(terminal, options, { kind: collection, name, action: 'deleted' }, () => `${singular(collection)} '${name}' deleted\n`);
      }),
    );
  addDeleteObservations(command, terminal);
  addDeleteKey(command, terminal);
}
