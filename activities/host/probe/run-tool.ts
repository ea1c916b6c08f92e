/** Runs a vendor's tool. Tools hang where a device does: they get their time, and no more. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** What a tool said; null where there is no such tool. */
export type RunTool = (command: string, args: readonly string[]) => Promise<ToolOutput | null>;

export interface ToolOutput {
  stdout: string;
  stderr: string;
  /** null where it ended with success, which is not to say that it had any. */
  failure: 'no answer in time' | `exit code ${number}` | `cannot be run: ${string}` | null;
}

/** Without persistence mode the driver wakes every device up first. */
const TIMEOUT_MS = 30_000;

export function toolRunner(timeoutMs = TIMEOUT_MS): RunTool {
  return async (command, args) => {
    const late = new AbortController();
    const hung: ToolOutput = { stdout: '', stderr: '', failure: 'no answer in time' };
    try {
      // One that waits for a device in the kernel does not end by a signal either: it is left behind.
      return await Promise.race([run(command, args, timeoutMs), delay(timeoutMs + 1000, hung, { ref: false, signal: late.signal })]);
    } finally {
      late.abort();
    }
  };
}

function run(command: string, args: readonly string[], timeoutMs: number): Promise<ToolOutput | null> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') resolve(null);
      else if (!error) resolve({ stdout, stderr, failure: null });
      else if (error.killed) resolve({ stdout, stderr, failure: 'no answer in time' });
      else if (typeof error.code === 'number') resolve({ stdout, stderr, failure: `exit code ${error.code}` });
      else resolve({ stdout, stderr, failure: `cannot be run: ${error.code ?? error.signal ?? error.message}` });
    });
  });
}
