/** uellm completion bash|zsh|fish, and `uellm complete -- WORD...`, which those scripts ask */
import { Argument, type Command } from 'commander';
import { type Collection, createApiClient } from '../../api/client.ts';
import { connectionOf, offlineAction } from '../command.ts';
import { candidates } from '../completion/candidates.ts';
import { SCRIPTS, SHELLS, type Shell } from '../completion/shells.ts';
import type { Terminal } from '../terminal.ts';

/** Whoever has pressed Tab does not wait longer. */
const PATIENCE_MS = 300;

export function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .description('print what makes a shell complete commands, options and the names of what there is')
    .addArgument(new Argument('<shell>', 'which one').choices(SHELLS))
    .action(offlineAction(terminal, async (shell: Shell) => terminal.out(SCRIPTS[shell])));
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action(
      offlineAction(terminal, async (words: string[]) => {
        const found = await candidates(program, words, (collection) => namesOf(collection, terminal));
        terminal.out(found.map((word) => `${word}\n`).join(''));
      }),
    );
}

/** None where nobody answers in time. */
async function namesOf(collection: Collection, terminal: Terminal): Promise<string[]> {
  const client = createApiClient({
    ...connectionOf(terminal),
    fetch: (url, init) => terminal.fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) }),
  });
  try {
    const { items } = await client.list(collection, { limit: 1000 });
    return items.map((item) => ('id' in item ? String(item.id) : item.name));
  } catch {
    return [];
  }
}
