/**
 * What to undo when a workflow fails. An undo is registered before its effect, because an effect that failed may have happened; undos run
 * newest first, outside of any cancellation, and one that fails joins the cause instead of hiding it.
 */
import { ApplicationFailure, CancellationScope, isCancellation, log, rootCause } from '@temporalio/workflow';

interface Undo {
  name: string;
  run: () => Promise<unknown>;
}

export class Compensations {
  #undos: Undo[] = [];

  register(name: string, run: () => Promise<unknown>): void {
    this.#undos.push({ name, run });
  }

  /** What was done stays: nothing before this point is undone any more. */
  commit(): void {
    this.#undos = [];
  }

  /** Undoes all, newest first. @returns what could not be undone, one line each */
  async unwind(): Promise<string[]> {
    const undos = this.#undos.reverse();
    this.#undos = [];
    const failures: string[] = [];
    await CancellationScope.nonCancellable(async () => {
      for (const undo of undos) {
        try {
          await undo.run();
        } catch (error) {
          failures.push(`${undo.name}: ${reasonOf(error)}`);
          log.error('could not undo', { undo: undo.name, error: reasonOf(error) });
        }
      }
    });
    return failures;
  }
}

/** The message at the root of a failure: what the activity said, without Temporal's wrapping. One that was cancelled has said nothing. */
export function reasonOf(error: unknown): string {
  const said = rootCause(error) ?? (error instanceof Error ? error.message : String(error));
  return said === '' && isCancellation(error) ? 'it was called off' : said;
}

/** Does this failure carry that kind of uellm error? */
export function isFailureOfKind(error: unknown, kind: string): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof ApplicationFailure && e.type === kind) return true;
  return false;
}
