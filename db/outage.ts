/** Tells a database that is away from one that says no, and what it said. */
import { UellmError } from '../core/domain/errors.ts';

/** Node's codes for a connection that cannot be made or broke; SQLSTATE classes 08 (connection) and 57P (shutdown), 53300 (too many connections). */
const OUTAGE_CODES = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|08...|57P0[1-3]|53300)$/;
/** pg's own messages, which carry no code. */
const OUTAGE_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error)/;

/** An `unavailable` error where `error`, or what caused it, says that Postgres is away; else undefined. */
export function databaseOutage(error: unknown): UellmError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as { code?: unknown }).code;
    const away = (typeof code === 'string' && OUTAGE_CODES.test(code)) || OUTAGE_MESSAGES.test(cause.message);
    if (away) return new UellmError({ kind: 'unavailable', what: 'Postgres', reason: cause.message || String(code) }, { cause: error });
  }
  return undefined;
}

/** The cause of a failed query in words, without the query: its parameters are whole batches of rows, and nobody's to read in a log. */
export function queryTrouble(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
