/**
 * What the gateway tells of a request while tracing is on: one span for the request, with one child for each time that it waits in the
 * queue and one for each sending to an engine. Nothing of a prompt or of an answer is ever in them. Off, nothing of this is loaded: `open.ts` is
 * the only file that knows OpenTelemetry. Source: OpenTelemetry semantic conventions for generative AI; W3C Trace Context.
 */
import type { RoutedReplica } from '../../core/domain/routing.ts';
import type { Accepted, Ended } from '../accepted.ts';

export interface Tracing {
  /** @returns null where the request's own parent, or the lot, says that it is not to be traced */
  begin(accepted: Accepted): RequestTrace | null;
  /** Delivers what is there, for as long as a moment. */
  close(): Promise<void>;
}

/** One request's. Times are on the monotonic clock, ms. */
export interface RequestTrace {
  /** It has left the queue, for a replica or for good. */
  waited(fromMs: number, untilMs: number): void;
  /** It goes to a replica. @returns the headers for the engine, with this sending as the parent of what the engine does */
  sent(replica: RoutedReplica, headers: Record<string, string>): Record<string, string>;
  /** The engine has begun to answer. */
  answered(status: number): void;
  /** The sending came to nothing, and another follows. */
  retried(reason: string): void;
  /** @param code of the error that ended it */
  ended(deployment: string, ended: Ended, code: string | undefined): void;
}

/** What is not set has its default of the SDK. */
export interface TracingOptions {
  /** Base URL of a collector that takes OTLP by HTTP; `/v1/traces` follows. */
  endpoint: string;
  /** Share of requests without a parent that are traced, 0 to 1. */
  share: number;
  /** Told of the first delivery that fails. */
  onLost: (reason: string) => void;
}

/** @param gatewayId told as the instance of the service */
export async function startTracing(options: TracingOptions, gatewayId: string): Promise<Tracing> {
  const { openTracing } = await import('./open.ts');
  return openTracing(options, gatewayId);
}
