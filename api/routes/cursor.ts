/** Cursors are opaque: the key of the last row, in base64url. */
import { badCursor, type PageRequest } from '../../db/queries/page.ts';

export function cursorOf(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

interface PageQuery {
  limit: number;
  cursor?: string | undefined;
  /** Of lists by name. */
  prefix?: string | undefined;
}

/** What a list's query asks of the database. @throws invalid-input for a cursor that no list gave */
export function pageRequest({ limit, cursor, prefix }: PageQuery): PageRequest {
  if (cursor === undefined) return { limit, prefix };
  const after = Buffer.from(cursor, 'base64url').toString('utf8');
  if (cursorOf(after) !== cursor || /\p{Cc}/u.test(after)) throw badCursor(cursor);
  return { limit, after, prefix };
}
