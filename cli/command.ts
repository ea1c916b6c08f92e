/** What every command that talks to an installation is given, and how every command ends. */
import { type ApiClient, createApiClient } from '../api/client.ts';
import { failureOf } from './failure.ts';
import type { Terminal } from './terminal.ts';

const DEFAULT_URL = 'http://127.0.0.1:8080';

export interface CommandContext {
  terminal: Terminal;
  client: ApiClient;
}

/** Where the installation is, and the key to it, by the environment. */
export function connectionOf({ env }: Terminal): { url: string; apiKey: string | undefined } {
  return { url: env.UELLM_API_URL || DEFAULT_URL, apiKey: env.UELLM_API_KEY || undefined };
}

/** Makes a commander action of a command: what it throws is told on stderr and decides the exit code. */
export function action<A extends unknown[]>(terminal: Terminal, run: (context: CommandContext, ...args: A) => Promise<void>) {
  return offlineAction(terminal, async (...args: A) => {
    const client = createApiClient({ ...connectionOf(terminal), fetch: terminal.fetch });
    await run({ terminal, client }, ...args);
  });
}

/** The same for a command that asks no installation. */
export function offlineAction<A extends unknown[]>(terminal: Terminal, run: (...args: A) => Promise<void>) {
  return async (...args: A): Promise<void> => {
    try {
      await run(...args);
    } catch (error) {
      const { text, exitCode } = failureOf(error);
      terminal.err(text);
      terminal.setExitCode(exitCode);
    }
  };
}
