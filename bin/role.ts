/** What every role's process has in common: a log, an orderly end, and a word to the supervisor once it serves. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { messageOf } from '../core/domain/errors.ts';
import { READY_MESSAGE } from './processes/launch.ts';

/** Longest an orderly end may take before the process goes all the same, ms. The supervisor waits a little longer. */
const CLOSE_WITHIN_MS = 8000;

/**
 * Runs a role until it is told to end: by SIGTERM, by Ctrl-C, or because the supervisor that started it is gone.
 * @param start returns once the role serves, with how to end it
 */
export async function runRole(name: string, logLevel: string, start: (logger: Logger) => Promise<() => Promise<void>>): Promise<void> {
  const logger = pino({ name, level: logLevel });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      logger.fatal({ err: error }, 'unforeseen failure');
      process.exit(1);
    });
  }
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
    process.once('disconnect', () => resolve('the supervisor is gone'));
  });
  const close = await start(logger);
  logger.info('serving');
  process.send?.(READY_MESSAGE);

  logger.info(`ending: ${await told}`);
  const late = delay(CLOSE_WITHIN_MS, 'late' as const);
  const outcome = await Promise.race([close().catch((error) => logger.error(`while ending: ${messageOf(error)}`)), late]);
  if (outcome === 'late') logger.error(`not closed within ${CLOSE_WITHIN_MS} ms`);
  process.exit(0);
}
