/** How Temporal workers of every role log and connect. */
import { setTimeout as delay } from 'node:timers/promises';
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import { messageOf } from '../core/domain/errors.ts';

/** Sends the SDK's log, its Rust core's included, to ours. Call once, before anything else of the SDK. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    // Signals are ours: they end the role as a whole, in order.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const to = level === 'ERROR' ? 'error' : level === 'WARN' ? 'warn' : level === 'INFO' ? 'info' : 'debug';
      logger[to]({ ...meta }, message);
    }),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} } },
  });
}

/** Connects, for as long as it takes: a role may be there before Temporal is. */
export async function connectWorker(address: string, logger: Logger): Promise<NativeConnection> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await NativeConnection.connect({ address });
    } catch (error) {
      if (attempt % 20 === 0) logger.warn(`Temporal at ${address} does not answer yet: ${messageOf(error)}`);
      await delay(500);
    }
  }
}
