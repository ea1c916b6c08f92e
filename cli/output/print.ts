/** Prints a result in the form that was asked for. */
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { Terminal } from '../terminal.ts';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

export interface OutputOptions {
  output: Format;
}

/** Gives a command `-o json|yaml|table` and `--json`; two forms at once are bad usage. */
export function withOutput(command: Command): Command {
  command
    .addOption(new Option('-o, --output <format>', 'form of the result').choices(FORMATS).default('table'))
    .addOption(new Option('--json', 'the same as -o json').implies({ output: 'json' }));
  const refuseTwo = () => {
    const { json, output } = command.opts<{ json?: boolean; output: Format }>();
    if (json && command.getOptionValueSource('output') === 'cli' && output !== 'json')
      command.error(`error: options '--json' and '-o ${output}' ask for two forms of one result`);
  };
  return command.on('option:output', refuseTwo).on('option:json', refuseTwo);
}

/** @param table the text for people, made only when it is asked for */
export function print(terminal: Terminal, { output }: OutputOptions, value: unknown, table: () => string): void {
  if (output === 'json') terminal.out(`${JSON.stringify(value, null, 2)}\n`);
  else if (output === 'yaml') terminal.out(toYaml(value));
  else terminal.out(table());
}

export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 140, aliasDuplicateObjects: false });
}
