/** docs/cli-reference.md, from commander's own tree: what `--help` says of every command, on one page. */
import type { Command } from 'commander';
import { createProgram } from '../../bin/program.ts';
import { ROLES } from './roles.ts';

export function cliReference(): string {
  const program = createProgram();
  const all = visible(program).flatMap((command) => [command, ...visible(command)]);
  const of = (isRole: boolean) => all.filter((command) => isRole === ROLES.includes(command.name()) && command !== program);
  return [
    '# CLI reference',
    '',
    'Written by `npm run docs:references` from the commands themselves; `uellm COMMAND --help` says the same.',
    '',
    'Results go to stdout, everything else to stderr. Exit codes: 0; 1 for a refusal or a failure; 2 for bad usage or invalid input.',
    '`-o json|yaml|table` chooses the form of a result, `--json` is `-o json`, and two forms at once are bad usage. Tables fit the terminal; colours and redrawn progress appear on a terminal only, and `NO_COLOR` switches colours off.',
    '',
    '| variable | what |',
    '|---|---|',
    '| `UELLM_API_URL` | where the admin API is: `http://127.0.0.1:8080` without it |',
    '| `UELLM_API_KEY` | its key, where one is needed |',
    '| `UELLM_ACCELERATORS_FILE` | kinds of accelerators beside those of the catalog, or other figures for them |',
    '',
    '## Commands',
    '',
    ...of(false).flatMap(section),
    '## Roles',
    '',
    'Processes that run until they are told to end; `uellm up` starts all of them on one machine.',
    '',
    ...of(true).flatMap(section),
  ].join('\n');
}

const FORMS = ['--output', '--json'];

function visible(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((c) => c.name() !== 'help');
}

function section(command: Command): string[] {
  const help = command.createHelp();
  const path = fullName(command);
  const subcommands = visible(command);
  const all = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  const options = all.filter(({ long }) => !FORMS.includes(long ?? ''));
  return [
    `### uellm ${path}`,
    '',
    `${sentence(command.description())}`,
    '',
    '```',
    `uellm ${path} ${usage(command, all.length > 0)}`.trimEnd(),
    '```',
    '',
    ...(subcommands.length > 0 ? [`Subcommands: ${subcommands.map((c) => `\`${c.name()}\``).join(', ')}.`, ''] : []),
    ...table(
      'argument',
      help.visibleArguments(command).map((argument) => [help.argumentTerm(argument), help.argumentDescription(argument)]),
    ),
    ...table(
      'option',
      options.map((option) => [help.optionTerm(option), `${help.optionDescription(option)}${option.mandatory ? '; required' : ''}`]),
    ),
    ...(all.length > options.length ? ['Takes `-o json|yaml|table` and `--json`.', ''] : []),
  ];
}

function usage(command: Command, hasOptions: boolean): string {
  const given = command.registeredArguments.map((argument) => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`));
  return [...(visible(command).length > 0 && given.length === 0 ? ['[command]'] : given), ...(hasOptions ? ['[options]'] : [])].join(' ');
}

function fullName(command: Command): string {
  return command.parent?.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

export function table(title: string, rows: [string, string][]): string[] {
  if (rows.length === 0) return [];
  return [`| ${title} | what |`, '|---|---|', ...rows.map(([term, text]) => `| \`${cell(term)}\` | ${cell(text)} |`), ''];
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
