/** Asks again and again until something is over. An API, a worker or a database that is away for a while does not end the watching. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiProblem } from '../api/client.ts';
import { messageOf, UellmError } from '../core/domain/errors.ts';
import type { Progress } from './output/live.ts';

const ASK_EVERY_MS = 500;
/** How long nothing may answer before watching gives up. */
const PATIENCE_MS = 120_000;

/** @param look reads how it stands and shows it; returns what it ends with, or undefined while it goes on */
export async function watch<T>(progress: Progress, look: () => Promise<T | undefined>): Promise<T> {
  let awaySince: number | undefined;
  for (;;) {
    try {
      const end = await look();
      if (end !== undefined) return end;
      awaySince = undefined;
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (awaySince === undefined) progress.note(`${messageOf(error)}; still watching`);
      awaySince ??= Date.now();
      if (Date.now() - awaySince > PATIENCE_MS) throw error;
    }
    await sleep(ASK_EVERY_MS);
  }
}

function isOutage(error: unknown): boolean {
  if (error instanceof ApiProblem) return error.problem.status >= 500;
  return error instanceof UellmError && error.detail.kind === 'unavailable';
}
