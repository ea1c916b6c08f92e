/** Lists are read by the page: in a fixed order, each page from where the last one ended (keyset, so that a page costs the same wherever it lies). */
import { and, type Column, eq, gt, type SQL, sql } from 'drizzle-orm';
import { UellmError } from '../../core/domain/errors.ts';

export interface PageRequest {
  /** At most so many items. */
  limit: number;
  /** The `next` of the page before; absent for the first. */
  after?: string | undefined;
  /** Of lists by name: what the names begin with. */
  prefix?: string | undefined;
}

export interface Page<T> {
  items: T[];
  /** Where the next page begins; null when this is the last. */
  next: string | null;
}

/** Makes a page of rows that were read with `limit + 1`: the row too many only says that there is another page. */
export function toPage<Row>(rows: Row[], { limit }: PageRequest, keyOf: (row: Row) => string): Page<Row> {
  if (rows.length <= limit) return { items: rows, next: null };
  const items = rows.slice(0, limit);
  return { items, next: keyOf(items[limit - 1]!) };
}

/** Which rows of a list by name are on a page and behind it. */
export function namesOf({ after, prefix }: PageRequest, name: Column): SQL | undefined {
  return and(after === undefined ? undefined : gt(name, after), prefix === undefined ? undefined : sql`starts_with(${name}, ${prefix})`);
}

/** A column filtered by; by nothing where that is undefined. */
export function filteredBy<T>(column: Column | SQL, wanted: T | undefined): SQL | undefined {
  return wanted === undefined ? undefined : eq(column as Column, wanted);
}

/** The key of a list in the order of a serial number. @throws invalid-input */
export function serialKey(after: string): number {
  const key = Number(after);
  if (!/^\d{1,15}$/.test(after) || !Number.isSafeInteger(key)) throw badCursor(after);
  return key;
}

export function badCursor(after: string): UellmError {
  const issue = { field: 'cursor', given: JSON.stringify(after), allowed: "the 'next' of an earlier page of the same list" };
  return new UellmError({ kind: 'invalid-input', what: 'the query', issues: [issue] });
}
