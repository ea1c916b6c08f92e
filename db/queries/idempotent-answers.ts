/** Answers to POSTs under an Idempotency-Key, kept for a day. A key is claimed before anything is done: of two at once one is refused. */
import { and, eq, lt, sql } from 'drizzle-orm';
import type { Executor } from '../client.ts';
import { idempotentAnswers } from '../schema/index.ts';

export interface IdempotencyKey {
  caller: string;
  key: string;
}

export interface IdempotentAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const table = idempotentAnswers;
const expired = lt(table.createdAt, sql`now() - interval '24 hours'`);
const isOf = ({ caller, key }: IdempotencyKey) => and(eq(table.caller, caller), eq(table.key, key));

/** @returns undefined to the first, which is to answer; else what it asked, and its answer, null where there is none */
export async function claimIdempotencyKey(
  db: Executor,
  id: IdempotencyKey,
  request: string,
): Promise<{ request: string; answer: IdempotentAnswer | null } | undefined> {
  const claim = { ...id, request, status: null, headers: null, body: null };
  const claimed = await db
    .insert(table)
    .values(claim)
    .onConflictDoUpdate({ target: [table.caller, table.key], set: { ...claim, createdAt: sql`now()` }, setWhere: expired })
    .returning({ key: table.key });
  if (claimed.length > 0) return undefined;
  const [row] = await db.select().from(table).where(isOf(id));
  // One that was given back in between counts as not answered yet: it may be asked again.
  if (!row || row.status === null) return { request: row?.request ?? request, answer: null };
  return { request: row.request, answer: { status: row.status, headers: row.headers ?? {}, body: row.body ?? '' } };
}

export async function keepAnswer(db: Executor, id: IdempotencyKey, answer: IdempotentAnswer): Promise<void> {
  await db.update(table).set(answer).where(isOf(id));
}

/** Nothing was done: the same may be asked again. */
export async function releaseIdempotencyKey(db: Executor, id: IdempotencyKey): Promise<void> {
  await db.delete(table).where(isOf(id));
}

/** @returns how many were too old */
export async function pruneIdempotentAnswers(db: Executor): Promise<number> {
  const { rowCount } = await db.delete(table).where(expired);
  return rowCount ?? 0;
}
