import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/support/database.ts';
import { listen } from './listen.ts';
import { CHANGES_CHANNEL, notifyChange } from './queries/changes.ts';
import { bumpRoutingVersion, ROUTING_CHANNEL } from './queries/routing.ts';

describe('listen', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.drop());

  it('hears every channel, and again after its connection was cut', async () => {
    const { db, pool } = database.connection;
    const heard: string[] = [];
    const onConnected = vi.fn();
    const onError = vi.fn();
    const listening = listen(pool, [CHANGES_CHANNEL, ROUTING_CHANNEL], {
      onNotice: (channel, payload) => heard.push(`${channel}:${payload}`),
      onConnected,
      onError,
    });
    try {
      await vi.waitFor(() => expect(onConnected).toHaveBeenCalledTimes(1), 5000);
      await notifyChange(db, 'hosts');
      const version = await bumpRoutingVersion(db);
      await vi.waitFor(() => expect(heard).toEqual(['uellm_changes:hosts', `uellm_routing:${version}`]), 5000);

      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'uellm-listen' and datname = current_database()`,
      );
      await vi.waitFor(() => expect(onConnected).toHaveBeenCalledTimes(2), 5000);
      expect(onError).toHaveBeenCalled();
      await notifyChange(db, 'plans');
      await vi.waitFor(() => expect(heard).toContain('uellm_changes:plans'), 5000);
    } finally {
      await listening.close();
    }
  });
});
