/** Errors as a person reads them, and the exit code that goes with each: 2 for input that is not valid, 1 for everything that was refused or failed. */
import { ApiProblem } from '../api/client.ts';
import { describeIssue, type FieldIssue, messageOf, UellmError } from '../core/domain/errors.ts';

export interface Failure {
  /** `error: ...`, with one more line for each field. */
  text: string;
  exitCode: 1 | 2;
}

/** A command did what it could, and what it was asked for did not come about. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

export function failureOf(error: unknown): Failure {
  if (error instanceof UellmError && error.detail.kind === 'invalid-input') return invalid(error.detail.what, error.detail.issues);
  if (error instanceof ApiProblem) {
    const { issues, refusal, status, detail } = error.problem;
    if (issues) return invalid(detail.split(' is not valid')[0]!, issues);
    if (status === 401) return { text: `error: ${detail}; UELLM_API_KEY is where the key goes\n`, exitCode: 1 };
    return { text: `error: ${detail}${refusal?.nearest ? `; ${refusal.nearest}` : ''}\n`, exitCode: 1 };
  }
  return { text: `error: ${messageOf(error)}\n`, exitCode: 1 };
}

function invalid(what: string, issues: readonly FieldIssue[]): Failure {
  return { text: [`error: ${what} is not valid`, ...issues.map((issue) => `  ${describeIssue(issue)}`), ''].join('\n'), exitCode: 2 };
}
