import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { type SessionLock, sessionLock } from './session-lock.ts';

const KEY = 4711;

describe('sessionLock', () => {
  let database: TestDatabase;
  let one: SessionLock;
  let other: SessionLock;
  beforeEach(async () => {
    database = await createTestDatabase();
    one = sessionLock(database.connection.pool, KEY);
    other = sessionLock(database.connection.pool, KEY);
  });
  afterEach(async () => {
    await Promise.all([one.release(), other.release()]);
    await database.drop();
  });

  it('is held by one at a time, until released', async () => {
    expect(await one.tryHold()).toBe('acquired');
    expect(await other.tryHold()).toBe('busy');
    expect(await one.tryHold()).toBe('held');
    await one.release();
    await vi.waitFor(async () => expect(await other.tryHold()).toBe('acquired'), 5000);
    expect(await one.tryHold()).toBe('busy');
  });

  it('says that it was acquired anew after its connection broke', async () => {
    expect(await one.tryHold()).toBe('acquired');
    await database.connection.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uellm-lock' and datname = current_database()`,
    );
    await vi.waitFor(async () => expect(await one.tryHold()).toBe('acquired'), 5000);
  });
});
