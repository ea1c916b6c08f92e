/** Runs a command line in this process, on a terminal that a test sees. */
import { Command, CommanderError } from 'commander';
import { addClientCommands } from '../../cli/program.ts';
import type { Terminal } from '../../cli/terminal.ts';

export interface CliRun {
  out: string;
  err: string;
  exitCode: number;
}

export interface CliOptions {
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  env?: Record<string, string>;
  stdin?: string;
  /** A person's terminal of so many columns. */
  columns?: number;
}

const nobodyAnswers = async () => {
  throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:8080') });
};

export async function runCli(args: string[], { fetch = nobodyAnswers, env = {}, stdin = '', columns }: CliOptions = {}): Promise<CliRun> {
  const run: CliRun = { out: '', err: '', exitCode: 0 };
  const out = (text: string) => {
    run.out += text;
  };
  const err = (text: string) => {
    run.err += text;
  };
  const terminal: Terminal = {
    env,
    out,
    err,
    interactive: columns !== undefined,
    columns: () => columns ?? Number.POSITIVE_INFINITY,
    errColumns: () => null,
    colour: false,
    stdin: async () => stdin,
    setExitCode: (code) => {
      run.exitCode = code;
    },
    fetch: fetch as typeof globalThis.fetch,
  };
  const program = new Command('uellm').exitOverride().configureOutput({ writeOut: out, writeErr: err });
  addClientCommands(program, terminal);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    run.exitCode = error.exitCode === 0 ? 0 : 2;
  }
  return run;
}
