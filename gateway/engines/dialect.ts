/**
 * How an engine of some kind is spoken to: the request in its words, its answer in OpenAI's, whether it is well. All that the gateway knows
 * of kinds of engines is in this folder.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { RoutedReplica } from '../../core/domain/routing.ts';
import type { Passed } from '../answers/event-stream.ts';
import type { Usage } from '../answers/usage.ts';
import type { CompletionRequest } from '../body/request.ts';
import type { ApiError } from '../errors.ts';
import type { EngineGauges } from '../upstream/scrape.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** What a client asked for, as far as it matters to an engine. */
export interface Asked {
  request: CompletionRequest;
  requestId: string;
  /** The client's path and headers, without those that are no business of an engine's. */
  path: string;
  headers: Record<string, string>;
  policy: { priority: number };
  acceptedAtMs: number;
}

export interface Posting {
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** An answer on its way to the client. */
export interface EngineAnswer {
  /** What the client is told. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly isStream: boolean;
  /** When the first token came, on the monotonic clock; null before, and for a whole answer. */
  readonly firstTokenMs: number | null;
  readonly lastTokenMs: number;
  /** Output tokens: as the engine reports them, else as they were counted; null where neither tells. */
  outputTokens(usage: Usage | null): number | null;
  /** Bytes have come. Says what may go on to the client, and how many tokens came. @throws for an answer that has failed, or is none */
  push(chunk: Buffer, nowMs: number): Passed;
  /** It has said that this is all, whether its connection ends or not. */
  readonly complete: boolean;
  /** It has ended: how, and what is still to go to the client. `cut-off`: without its last event. */
  end(): { verdict: 'ok' | 'failed' | 'rejected' | 'cut-off'; rest: Buffer | null };
  /** What the engine said of its tokens. */
  usage(): Usage | null;
}

export interface EngineDialect {
  /** Why no engine of this kind can do what is asked; null where it can. */
  refusal(request: CompletionRequest): ApiError | null;
  /** @throws RequestError for what this kind, or this replica, cannot do */
  compose(asked: Asked, replica: RoutedReplica): Posting;
  /** May an answer with this status be the engine's own fault, so that another should be tried? */
  isWorthRetrying(status: number): boolean;
  answer(status: number, headers: IncomingHttpHeaders, asked: Asked): EngineAnswer;
  /** What it says of its load; null where it says nothing that we know. @throws where it does not answer in time, or does not serve */
  gauges(upstream: Upstream, replica: RoutedReplica, timeoutMs: number): Promise<EngineGauges | null>;
}
