/** Runs the command `uellm`, and decides what the process ends with. */
import { CommanderError } from 'commander';
import { failureOf } from '../cli/failure.ts';
import { createRoles } from './roles.ts';

/** Roles that have no subcommand among those that ask: they run without loading any of these. */
const ALONE = new Set(['api', 'control', 'gateway', 'host', 'migrate', 'up']);

try {
  const program = ALONE.has(process.argv[2] ?? '') ? createRoles() : (await import('./program.ts')).createProgram();
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2; // it has said so itself
  } else {
    const { text, exitCode } = failureOf(error);
    process.stderr.write(text);
    process.exitCode = exitCode;
  }
}
