/** uellm logs host|replica NAME [--lines N] */
import { Argument, type Command, InvalidArgumentError } from 'commander';
import { action, type CommandContext } from '../command.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

const COLLECTIONS = { host: 'hosts', replica: 'replicas' } as const;
type Kind = keyof typeof COLLECTIONS;

interface LogsOptions extends OutputOptions {
  lines: number;
}

export function addLogs(program: Command, terminal: Terminal): void {
  withOutput(program.command('logs'))
    .description("the last lines of a replica's engine, also after it has ended, or of a host's worker")
    .addArgument(new Argument('<kind>', 'whose').choices(Object.keys(COLLECTIONS)))
    .argument('<name>', 'name of the host, or id of the replica')
    .option('--lines <n>', 'so many at most, up to 1000', parseLines, 200)
    .action(action(terminal, logs));
}

async function logs({ client, terminal }: CommandContext, kind: Kind, name: string, options: LogsOptions): Promise<void> {
  const tail = await client.log(COLLECTIONS[kind], name, options.lines);
  print(terminal, options, tail, () => tail.lines.map((line) => `${line}\n`).join(''));
  if (options.output === 'table' && tail.lines.length === 0) terminal.err(`nothing has been written yet (${tail.source})\n`);
}

/** How many there may be is the API's to say. */
function parseLines(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('A whole number from 1.');
  return Number(text);
}
