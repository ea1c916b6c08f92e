/** What every role's process has in common: a log, an orderly end, and a word to the supervisor once it serves. */
import { setTimeout as delay } from 'node:timers/promises';
import { type DestinationStream, type Logger, pino } from 'pino';
import { messageOf } from '../core/domain/errors.ts';
import { READY_MESSAGE } from './processes/launch.ts';

/** Longest an orderly end may take before the process goes all the same, ms. The supervisor waits a little longer. */
export const CLOSE_WITHIN_MS = 8000;
/** And so long once it was told a second time. */
const HURRY_WITHIN_MS = 2000;

/**
 * Runs a role until it is told to end: by SIGTERM, by Ctrl-C, by whoever forked it, or because the supervisor that started it is gone. Told
 * a second time it ends at once.
 * @param start returns once the role serves, with how to end it; which it does in a hurry once the signal is aborted
 * @param destination of its log; standard output without one
 */
export async function runRole(
  name: string,
  logLevel: string,
  start: (logger: Logger) => Promise<(hurry: AbortSignal) => Promise<void>>,
  closeWithinMs = CLOSE_WITHIN_MS,
  destination?: DestinationStream,
): Promise<void> {
  const logger = pino({ name, level: logLevel }, destination);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error) => {
      logger.fatal({ err: error }, 'unforeseen failure');
      process.exit(1);
    });
  }
  const hurry = new AbortController();
  const told = new Promise<string>((resolve) => {
    let isTold = false;
    const tell = (how: string) => {
      if (isTold) hurry.abort();
      isTold = true;
      resolve(how);
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => tell(signal));
    process.once('disconnect', () => resolve('the supervisor is gone'));
    process.on('message', (message) => {
      if (message === 'stop') resolve('told to');
      if (message === 'hurry') hurry.abort();
    });
    process.channel?.unref(); // a role that cannot start ends
  });
  hurry.signal.addEventListener('abort', () => setTimeout(() => process.exit(1), HURRY_WITHIN_MS));
  const close = await start(logger);
  logger.info('serving');
  process.send?.(READY_MESSAGE);

  logger.info(`ending: ${await told}`);
  const late = delay(closeWithinMs, 'late' as const);
  const outcome = await Promise.race([close(hurry.signal).catch((error) => logger.error(`while ending: ${messageOf(error)}`)), late]);
  if (outcome === 'late') logger.error(`not closed within ${closeWithinMs} ms`);
  process.exit(0);
}
