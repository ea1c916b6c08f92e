/** How Temporal workers of every role log and connect. */
import { setTimeout as delay } from 'node:timers/promises';
import { DefaultLogger, makeTelemetryFilterString, NativeConnection, type NativeConnectionOptions, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import { messageOf } from '../core/domain/errors.ts';
import type { Environment } from './environment.ts';

/**
 * Sends the SDK's log, its Rust core's included, to ours, and serves its metrics at `metricsAddress`. Call once, before anything else of the SDK.
 * @param metricsAddress HOST:PORT
 */
export function installRuntime(logger: Logger, metricsAddress?: string): void {
  Runtime.install({
    // Signals are ours: they end the role as a whole, in order.
    shutdownSignals: [],
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const to = level === 'ERROR' ? 'error' : level === 'WARN' ? 'warn' : level === 'INFO' ? 'info' : 'debug';
      logger[to]({ ...meta }, message);
    }),
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(metricsAddress !== undefined && {
        metrics: { prometheus: { bindAddress: metricsAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true } },
      }),
    },
  });
}

/** Where a worker of this environment serves the SDK's metrics; undefined for nowhere. */
export function metricsAddress({ bind, workerMetricsPort }: Environment): string | undefined {
  if (workerMetricsPort === undefined) return undefined;
  const address = bind === 'localhost' ? '127.0.0.1' : bind;
  return `${address.includes(':') ? `[${address}]` : address}:${workerMetricsPort}`;
}

/** Connects, for as long as it takes: a role may be there before Temporal is. */
export async function connectWorker(options: NativeConnectionOptions, logger: Logger): Promise<NativeConnection> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await NativeConnection.connect(options);
    } catch (error) {
      if (attempt % 20 === 0) logger.warn(`Temporal at ${options.address} does not answer yet: ${messageOf(error)}`);
      await delay(500);
    }
  }
}
