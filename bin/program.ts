/** The command `uellm` as a tree: its roles, which run here, and the commands that ask a running installation. */
import type { Command } from 'commander';
import { addClientCommands } from '../cli/program.ts';
import type { Terminal } from '../cli/terminal.ts';
import { readEnvironment } from './environment.ts';
import { createRoles } from './roles.ts';

/** @param terminal of the commands that ask; this process's without one */
export function createProgram(terminal?: Terminal): Command {
  const program = createRoles();
  addClientCommands(program, terminal, {
    createKey: async (input) => (await import('./create-key.ts')).createKeyOffline(readEnvironment(), input),
  });
  return program;
}
