/** What may stand where the cursor is, by commander's own tree: nothing here repeats what a command has. */
import type { Argument, Command, Option } from 'commander';
import type { Collection } from '../../api/client.ts';
import { collectionOf, NAMED } from './names.ts';

/**
 * @param words after `uellm`, the one at the cursor last (empty where it has not begun)
 * @param namesOf the names of what there is; it may take a moment and give up
 * @returns those that begin as the last word does; none where a file or free text is asked for
 */
export async function candidates(
  program: Command,
  words: readonly string[],
  namesOf: (collection: Collection) => Promise<readonly string[]>,
): Promise<string[]> {
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? '';
  const { command, path, given, open } = walk(program, before);
  const all = open ? (open.argChoices ?? []) : last.startsWith('-') ? flags(command) : await next();
  return all.filter((word) => word.startsWith(last));

  async function next(): Promise<readonly string[]> {
    const subcommands = given.length === 0 ? visibleCommands(command) : [];
    const named = NAMED[path.join(' ')]?.[given.length];
    if (named && 'kinds' in named) return [...named.kinds, ...subcommands];
    const collection = named ? collectionOf(named, given) : undefined;
    if (collection) return namesOf(collection);
    const argument: Argument | undefined = command.registeredArguments[given.length];
    return [...(argument?.argChoices ?? []), ...subcommands];
  }
}

interface Place {
  command: Command;
  /** The names that lead to it. */
  path: string[];
  /** Its arguments so far. */
  given: string[];
  /** An option that still waits for its value. */
  open: Option | undefined;
}

function walk(program: Command, words: readonly string[]): Place {
  const place: Place = { command: program, path: [], given: [], open: undefined };
  for (const word of words) {
    if (place.open) {
      place.open = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = place.command.options.find(({ short, long }) => word === short || word === long);
      if (option?.required) place.open = option;
      continue;
    }
    const subcommand = place.given.length === 0 ? place.command.commands.find((c) => isCalled(c, word)) : undefined;
    if (subcommand) {
      place.command = subcommand;
      place.path.push(subcommand.name());
    } else {
      place.given.push(word);
    }
  }
  return place;
}

const isCalled = (command: Command, word: string) => command.name() === word || command.aliases().includes(word);

function visibleCommands(command: Command): string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((c) => c.name());
}

function flags(command: Command): string[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long }) => long ?? []);
}
