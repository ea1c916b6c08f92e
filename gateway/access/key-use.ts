/** Says now and then which keys were used, off every request's way; what cannot be said is forgotten. */
import type { Database } from '../../db/client.ts';
import { touchKeys } from '../../db/queries/keys.ts';
import type { Keyring } from './auth.ts';

const EVERY_MS = 30_000;

/** @returns what ends it, once what was used last is written */
export function reportKeyUse(keyring: Keyring, db: Database): () => Promise<void> {
  const report = () => touchKeys(db, keyring.takeUsed()).catch(() => undefined);
  const timer = setInterval(report, EVERY_MS);
  timer.unref();
  return () => {
    clearInterval(timer);
    return report();
  };
}
