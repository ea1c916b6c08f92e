/** A lock that one process at a time holds, for as long as its connection lives: whoever dies lets go at once. */
import pg from 'pg';

export interface SessionLock {
  /** `acquired`: held from now on; `held`: held without a break since it was acquired; `busy`: somebody else has it. @throws while Postgres is away */
  tryHold(): Promise<'acquired' | 'held' | 'busy'>;
  release(): Promise<void>;
}

/** A connection that does not answer for so long is taken for dead. */
const ANSWER_WITHIN_MS = 10_000;

/** @param key the advisory lock's number; `pool` only says where the database is */
export function sessionLock(pool: pg.Pool, key: number): SessionLock {
  let client: pg.Client | null = null;
  let holds = false;

  const drop = async () => {
    const dropped = client;
    client = null;
    holds = false;
    await dropped?.end().catch(() => undefined);
  };

  const connect = async (): Promise<pg.Client> => {
    const fresh = new pg.Client({
      ...pool.options,
      application_name: 'uellm-lock',
      keepAlive: true,
      query_timeout: ANSWER_WITHIN_MS,
    });
    const lost = () => {
      if (client === fresh) client = null;
      holds = holds && client !== null;
    };
    fresh.on('error', lost);
    fresh.on('end', lost);
    await fresh.connect();
    return fresh;
  };

  return {
    async tryHold() {
      try {
        client ??= await connect();
        if (holds) {
          await client.query('select 1');
          return 'held';
        }
        const { rows } = await client.query<{ got: boolean }>('select pg_try_advisory_lock($1) as got', [key]);
        holds = rows[0]!.got;
        return holds ? 'acquired' : 'busy';
      } catch (error) {
        await drop();
        throw error;
      }
    },
    release: drop,
  };
}
