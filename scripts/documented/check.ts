/** Is a documented command one that there is? Asked of commander's own tree and of package.json, and nothing of it is run. */
import { type Command, CommanderError } from 'commander';
import { createProgram } from '../../bin/program.ts';

/** The command's own words: without variables before it, and without what only finds it (`npx`). */
export function bare(words: readonly string[]): string[] {
  const from = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
  const rest = from < 0 ? [] : words.slice(from);
  if (rest[0] === 'npx' || rest[0] === 'exec' || rest[0] === 'sudo')
    return bare(rest.slice(1).filter((word, i) => i > 0 || !word.startsWith('-')));
  return rest;
}

/** @returns what is wrong with it; undefined where it is right, or not ours to judge */
export function problemOf(words: readonly string[], scripts: Readonly<Record<string, string>>): string | undefined {
  const [program, ...args] = bare(words);
  if (program === 'uellm') return parseProblem(args);
  if (program !== 'npm') return undefined;
  const [verb, name] = args;
  if (verb === 'run') return name !== undefined && scripts[name] !== undefined ? undefined : `package.json has no script '${name}'`;
  if (verb === 'start' || verb === 'test') return scripts[verb] !== undefined ? undefined : `package.json has no script '${verb}'`;
  return ['ci', 'link', 'install'].includes(verb ?? '') ? undefined : `npm ${verb} is nothing that is documented`;
}

function parseProblem(args: readonly string[]): string | undefined {
  let said = '';
  const program = createProgram();
  for (const command of everyCommand(program)) {
    command.configureOutput({ writeOut: () => {}, writeErr: (text) => (said += text) }).exitOverride();
    // One that only has subcommands has nothing to run.
    if (command.commands.length === 0 || command.registeredArguments.length > 0 || command.name() === 'profiler') command.action(() => {});
  }
  try {
    program.parse(args, { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : said.trim() || error.message;
  }
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** `uellm drain HOST` within a sentence: are the command and its options there? What stands for something else is not looked at. */
export function inlineProblem(text: string): string | undefined {
  let command: Command = createProgram();
  let isArgument = false;
  for (const word of text.split(/\s+/).slice(1)) {
    const flag = /^\[?(--?[a-z][a-z-]*)/.exec(word)?.[1];
    if (flag) {
      if (flag !== '--help' && !command.options.some(({ short, long }) => flag === short || flag === long))
        return `${command.name()} has no option ${flag}`;
      isArgument = true; // what follows may be its value
      continue;
    }
    if (isArgument || !/^[a-z][a-z-]*$/.test(word)) {
      isArgument = true;
      continue;
    }
    const next: Command | undefined = command.commands.find((c) => c.name() === word || c.aliases().includes(word));
    if (!next && command.registeredArguments.length === 0) return `there is no command '${word}'`;
    if (next) command = next;
    else isArgument = true;
  }
  return undefined;
}
