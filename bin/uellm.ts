/** Runs the command `uellm`, and decides what the process ends with. */
import { CommanderError } from 'commander';
import { failureOf } from '../cli/failure.ts';
import { createProgram } from './program.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2; // it has said so itself
  } else {
    const { text, exitCode } = failureOf(error);
    process.stderr.write(text);
    process.exitCode = exitCode;
  }
}
