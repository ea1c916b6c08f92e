/**
 * Every way in which uellm says no. One closed union; `api/` maps it to HTTP problem details, `activities/` to Temporal
 * failures, `cli/` to an exit code, and nobody invents an error of their own.
 */
import type { Refusal } from './refusal.ts';
import { GIGA } from './units.ts';

/** One thing wrong with an input: which field, what was given there, and what would have been allowed. */
export interface FieldIssue {
  /** Path from the root of the input, e.g. `targets.ttftMs` or `accelerators[0].count`; empty for the input itself. */
  field: string;
  /** The offending value as JSON, cut to 120 characters; `nothing` where the field is absent. */
  given: string;
  /** What the field takes, as a phrase: `a number above 0`. */
  allowed: string;
}

export type UellmErrorDetail =
  /** `what` is one thing, in the singular: the request body, a header, the file that was given. */
  | { kind: 'invalid-input'; what: string; issues: FieldIssue[] }
  | { kind: 'not-found'; what: string; name: string }
  | { kind: 'already-exists'; what: string; name: string }
  /** The object is not in a state that allows this; `reason` says which state it is in. */
  | { kind: 'conflict'; what: string; name: string; reason: string }
  /** Planning looked and declined: the refusal is a value that every surface shows alike. */
  | { kind: 'refused'; refusal: Refusal }
  /** Fencing: a command for a generation of a replica that its host has already left behind. */
  | { kind: 'stale-generation'; replicaId: string; given: number; current: number }
  | { kind: 'engine-failed'; replicaId: string; reason: string }
  /** A host's cache of weights has not the room, even after all that nobody uses was removed. */
  | { kind: 'disk-full'; directory: string; neededBytes: number; freeBytes: number }
  | { kind: 'unauthorized'; reason: string }
  | { kind: 'forbidden'; reason: string }
  /** Something we depend on is away; worth trying again. */
  | { kind: 'unavailable'; what: string; reason: string };

export type UellmErrorKind = UellmErrorDetail['kind'];

export class UellmError extends Error {
  override readonly name = 'UellmError';
  readonly detail: UellmErrorDetail;
  constructor(detail: UellmErrorDetail, options?: { cause?: unknown }) {
    super(describeError(detail), options);
    this.detail = detail;
  }
}

export const notFound = (what: string, name: string) => new UellmError({ kind: 'not-found', what, name });
export const conflict = (what: string, name: string, reason: string) => new UellmError({ kind: 'conflict', what, name, reason });

/** One sentence a person can act on. */
export function describeError(detail: UellmErrorDetail): string {
  switch (detail.kind) {
    case 'invalid-input':
      return `${detail.what} is not valid: ${detail.issues.map(describeIssue).join('; ')}`;
    case 'not-found':
      return `there is no ${detail.what} named '${detail.name}'`;
    case 'already-exists':
      return `${detail.what} '${detail.name}' exists already`;
    case 'conflict':
      return `${detail.what} '${detail.name}': ${detail.reason}`;
    case 'refused':
      return detail.refusal.message;
    case 'stale-generation':
      return `replica ${detail.replicaId}: generation ${detail.given} is older than ${detail.current}, which its host already knows`;
    case 'engine-failed':
      return `engine of replica ${detail.replicaId} failed: ${detail.reason}`;
    case 'disk-full':
      return `${detail.directory}: ${gigabytes(detail.neededBytes)} are needed, ${gigabytes(detail.freeBytes)} are free`;
    case 'unauthorized':
    case 'forbidden':
      return detail.reason;
    case 'unavailable':
      return `${detail.what} is unavailable: ${detail.reason}`;
    default:
      return assertNever(detail);
  }
}

const gigabytes = (bytes: number) => `${(bytes / GIGA).toFixed(1)} GB`;

export function describeIssue(issue: FieldIssue): string {
  return `${issue.field || 'the input'}: got ${issue.given}, allowed is ${issue.allowed}`;
}

export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
