/**
 * One client's request from acceptance to its end: it waits in the queue, is sent to a replica, and its answer relayed; while nothing has
 * been sent to the client, a failed attempt is followed by another elsewhere. However it ends, it is written down once.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { messageOf } from '../core/domain/errors.ts';
import { tokensServed } from '../core/domain/observation.ts';
import type { Explanation } from '../core/scheduler/explanation.ts';
import { type PredictedLatency, predictLatency } from '../core/scheduler/latency.ts';
import type { PassingMap } from '../core/scheduler/passing-map.ts';
import type { Assignment } from '../core/scheduler/types.ts';
import type { Accepted, Ended } from './accepted.ts';
import type { Ledger } from './accounts/ledger.ts';
import { type Measured, meanTpotMs } from './accounts/record.ts';
import { EXPLANATION_HEADER, explanationHeader } from './answers/explanation-header.ts';
import type { KeepAlive } from './answers/keep-alive.ts';
import { Reply } from './answers/reply.ts';
import type { Usage } from './answers/usage.ts';
import type { HeldBytes } from './body/held-bytes.ts';
import type { Dispatcher, Waiting } from './dispatcher.ts';
import type { EngineAnswer, Posting } from './engines/dialect.ts';
import { DIALECTS } from './engines/registry.ts';
import { type ApiError, internalError, RequestError, upstreamFailed } from './errors.ts';
import type { Fleet } from './fleet.ts';
import { onceGone } from './pipelined.ts';
import { Queued } from './queued.ts';
import type { LiveReplica } from './replica.ts';
import type { RequestTrace, Tracing } from './tracing/tracing.ts';
import { Attempt, type AttemptOwner } from './upstream/attempt.ts';

/** Attempts that an engine has seen. */
const MAX_ATTEMPTS = 3;
/** Attempts that found nobody listening: each ejects its replica, so that a whole host may vanish without failing a request. */
const MAX_REFUSALS = 20;
const NO_BODY = Buffer.alloc(0);
/** Between two tries to find a replica of another kind. */
const TRY_AGAIN_MS = 25;

export interface ExchangeParts {
  fleet: Fleet;
  dispatcher: Dispatcher;
  ledger: Ledger;
  /** Exchanges that have not ended, by the answer to their client; in the order of their acceptance. */
  open: PassingMap<ServerResponse, Exchange>;
  heldBytes: HeldBytes;
  /** null where it is off. */
  keepAlive: KeepAlive | null;
  /** null where it is off. */
  tracing: Tracing | null;
  clientStallMs: number;
  /** Send the `x-uellm-` headers. */
  explainHeaders: boolean;
}

export class Exchange extends Queued implements Waiting, AttemptOwner {
  readonly #parts: ExchangeParts;
  readonly #res: ServerResponse;
  readonly #reply: Reply;
  #attempt: Attempt | null = null;
  #replica: LiveReplica | null = null;
  #attempts = 0;
  #refusals = 0;
  /** Since when it waits; null while it does not. */
  #queuedMs: number | null = null;
  #queueMs = 0;
  #overheadMs = 0;
  #predicted: PredictedLatency | null = null;
  #answer: EngineAnswer | null = null;
  #explanation: Explanation | null = null;
  #trace: RequestTrace | null = null;
  /** Its answer has begun. */
  #committed = false;
  #ended = false;

  constructor(parts: ExchangeParts, accepted: Accepted, res: ServerResponse) {
    super(accepted);
    this.#parts = parts;
    this.#res = res;
    this.#reply = new Reply(res, parts.clientStallMs);
  }

  start(): void {
    this.#parts.open.set(this.#res, this);
    onceGone(this.#res, () => this.#clientGone());
    this.#queuedMs = performance.now();
    if (this.#parts.tracing) this.#trace = this.#parts.tracing.begin(this.accepted);
    if (this.accepted.request.streamed) this.#parts.keepAlive?.add(this, this.#queuedMs);
    this.#parts.dispatcher.enqueue(this);
  }

  /** Tells whoever stands between it and the client that it still waits. @returns false once its answer has begun */
  stayAlive(): boolean {
    const headers = this.#headers();
    const replicas = this.#parts.fleet.eligible(this.deployment);
    if (replicas.length > 0 && replicas.every(({ row }) => row.simulated)) headers['x-uellm-simulated'] = 'true';
    return this.#reply.stayAlive(headers);
  }

  /** Sends its client something that does not matter, where its answer has begun as a stream. */
  probe(): void {
    this.#reply.probe();
  }

  /** Its answer is the last on its connection, unless it has begun. */
  endConnection(): void {
    this.#res.shouldKeepAlive = false;
  }

  /** Ends it for a reason of the gateway's own. */
  terminate(error: ApiError): void {
    this.#parts.dispatcher.cancel(this);
    this.#attempt?.drop();
    this.#fail(error, 'failed');
  }

  release({ replica, explanation }: Assignment<Waiting, LiveReplica>): void {
    let posting: Posting;
    try {
      posting = DIALECTS[replica.row.engine].compose(this.accepted, replica.row);
    } catch (error) {
      this.#cannotHave(replica, error);
      return;
    }
    const nowMs = performance.now();
    const { accepted } = this;
    this.#leaveQueue(nowMs);
    const latency = predictLatency(replica, this, nowMs);
    this.#predicted = { ttftMs: nowMs - accepted.arrivalMs + latency.ttftMs, tpotMs: latency.tpotMs };
    this.#replica = replica;
    this.#explanation = explanation;
    const attempt = new Attempt(this, this.#parts.fleet.open(replica, this));
    this.#attempt = attempt;
    if (!accepted.request.streamed) attempt.reservation.expectFirstToken(latency.ttftMs);
    this.#overheadMs = performance.now() - accepted.arrivalMs - this.#queueMs;
    const headers = this.#trace ? this.#trace.sent(replica.row, posting.headers) : posting.headers;
    attempt.send(posting.path, headers, posting.body);
  }

  refuse(error: ApiError, outcome: 'shed' | 'failed'): void {
    if (this.explain) this.#explanation = this.#refusal(error);
    this.#fail(error, outcome);
  }

  /** All of a whole answer comes at its end, however long that takes: only of an engine that is ill is silence a sign. */
  mayBeSilent({ replica }: Attempt): boolean {
    return !this.accepted.request.streamed && replica.healthy;
  }

  onHead(attempt: Attempt, status: number, headers: IncomingHttpHeaders): void {
    this.#attempts += 1;
    this.#trace?.answered(status);
    const dialect = DIALECTS[attempt.replica.row.engine];
    if (dialect.isWorthRetrying(status) && this.#attempts < MAX_ATTEMPTS && this.#hasAlternative(attempt.replica)) {
      attempt.drop();
      this.#retry(attempt.replica, `status-${status}`);
      return;
    }
    this.#answer = dialect.answer(status, headers, this.accepted);
    this.#reply.begin(this.#answer.status, this.#answer.headers, this.#headers(), this.#answer.isStream);
  }

  onData(attempt: Attempt, chunk: Buffer, isLast: boolean): void {
    if (this.#answer!.complete) {
      attempt.drop();
      this.onEnd(attempt);
      return;
    }
    let passed: ReturnType<EngineAnswer['push']>;
    try {
      passed = this.#answer!.push(chunk, performance.now());
    } catch (error) {
      attempt.drop();
      this.onFailure(attempt, new Error(messageOf(error)), false);
      return;
    }
    if (passed.outputs > 0) attempt.reservation.produced(passed.outputs);
    if (passed.bytes) this.#reply.write(passed.bytes, attempt.call, isLast);
    if (!this.#committed && this.#reply.sent) this.#commit();
  }

  onEnd(attempt: Attempt): void {
    const { verdict, rest } = this.#answer!.end();
    if (verdict === 'cut-off') {
      this.onFailure(attempt, new Error('its stream broke off'), false);
      return;
    }
    const outputTokens = this.#answer!.outputTokens(this.#answer!.usage());
    if (outputTokens !== null) attempt.reservation.producedInAll(outputTokens);
    if (rest) this.#reply.write(rest, attempt.call, true);
    this.#reply.end();
    this.#finish(verdict);
  }

  onFailure(attempt: Attempt, error: Error, neverSent: boolean): void {
    if (this.#answer?.complete) {
      this.onEnd(attempt);
      return;
    }
    if (neverSent) {
      this.#refusals += 1;
      this.#parts.fleet.eject(attempt.replica, attempt.upstream, `nobody listens at ${attempt.upstream.endpoint}: ${error.message}`);
    } else if (!this.#answer) {
      this.#attempts += 1; // onHead has counted those that began to answer
    }
    const mayRetry = !this.#reply.sent && this.#attempts < MAX_ATTEMPTS && this.#refusals < MAX_REFUSALS;
    if (mayRetry) this.#retry(attempt.replica, neverSent ? 'refused' : 'broken');
    else this.#fail(upstreamFailed(error.message), 'failed');
  }

  /** Its answer has begun, and no other replica will be asked: nobody needs its body, and a stream may be long. */
  #commit(): void {
    this.#committed = true;
    const { request } = this.accepted;
    this.#parts.heldBytes.give(request.body.length);
    request.body = NO_BODY;
  }

  /** For a replica, or for good. */
  #leaveQueue(nowMs: number): void {
    if (this.#queuedMs === null) return;
    this.#queueMs += nowMs - this.#queuedMs;
    this.#trace?.waited(this.#queuedMs, nowMs);
    this.#queuedMs = null;
  }

  #retry(replica: LiveReplica, reason: string): void {
    this.avoid = new Set([...this.avoid, replica.id]);
    replica.settled('retried');
    this.#attempt = null;
    this.#answer = null;
    this.#parts.ledger.retried(this.deployment, reason);
    this.#trace?.retried(reason);
    this.#queuedMs = performance.now();
    this.#parts.dispatcher.requeue(this);
  }

  /** The replica's kind of engine cannot do what is asked, or not for this model: only others can. */
  #cannotHave(replica: LiveReplica, error: unknown): void {
    const { engine } = replica.row;
    const eligible = this.#parts.fleet.eligible(this.deployment);
    if (!(error instanceof RequestError) || eligible.every(({ row }) => row.engine === engine)) {
      this.#fail(error instanceof RequestError ? error.error : internalError(), 'rejected');
      return;
    }
    const alike = eligible.filter(({ row }) => row.engine === engine).map(({ id }) => id);
    this.avoid = new Set([...this.avoid, ...alike]);
    // A policy that looks at who has room gives it the same replica again, until another has.
    setTimeout(() => {
      if (!this.#ended) this.#parts.dispatcher.requeue(this);
    }, TRY_AGAIN_MS);
  }

  /** Is there a replica that has not failed this request? */
  #hasAlternative(failed: LiveReplica): boolean {
    return this.#parts.fleet.eligible(this.deployment).some((r) => r !== failed && !this.avoid.has(r.id));
  }

  #clientGone(): void {
    if (this.#ended) return;
    this.#parts.dispatcher.cancel(this);
    this.#attempt?.drop();
    this.#reply.abandon();
    const verdict = this.#answer?.complete ? this.#answer.end().verdict : 'cut-off';
    this.#finish(verdict === 'cut-off' ? 'cancelled' : verdict);
  }

  #fail(error: ApiError, outcome: 'shed' | 'failed' | 'rejected'): void {
    if (this.#ended) return;
    this.#reply.fail(error, this.#headers());
    this.#finish(outcome, error.code);
  }

  #finish(outcome: Ended['outcome'], code?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const nowMs = performance.now();
    this.#leaveQueue(nowMs);
    this.#parts.open.delete(this.#res);
    this.#parts.keepAlive?.delete(this);
    this.#parts.heldBytes.give(this.accepted.request.body.length);
    this.#attempt?.replica.settled(outcome === 'failed' || outcome === 'shed' ? 'dropped' : 'finished');
    const { arrivalMs } = this.accepted;
    const answer = this.#answer;
    const usage = answer?.usage() ?? null;
    const firstTokenMs = answer?.firstTokenMs ?? null;
    const { endpoint } = this.accepted.request;
    const outputTokens = endpoint === 'embedding' ? null : (answer?.outputTokens(usage) ?? null);
    const measured: Measured = {
      streamed: this.accepted.request.streamed,
      ttftMs: firstTokenMs === null ? null : firstTokenMs - arrivalMs,
      tpotMs: meanTpotMs(
        firstTokenMs,
        answer?.lastTokenMs ?? 0,
        outputTokens === null ? null : outputTokens / this.accepted.request.choices,
      ),
      e2eMs: nowMs - arrivalMs,
      outputTokens,
    };
    const ended: Ended = { outcome, measured, usage, queueMs: this.#queueMs, predicted: this.#predicted, replica: this.#replica };
    this.accepted.hold?.settle(outcome === 'rejected' ? 0 : this.#tokensServed(usage, outputTokens));
    this.#parts.ledger.ended(this, ended, code);
    this.#trace?.ended(this.deployment, ended, code);
  }

  /** As its observation will say. */
  #tokensServed(usage: Usage | null, outputTokens: number | null): number {
    const inputTokens = usage?.promptTokens ?? this.accepted.inputTokens;
    return tokensServed({ replicaId: this.#replica?.id ?? null, inputTokens, outputTokens });
  }

  #refusal({ message }: ApiError): Explanation {
    const waitedMs = Math.round(performance.now() - this.arrivalMs);
    return { policy: this.#parts.dispatcher.policyOf(this.deployment), because: message, replica: '', waitedMs, considered: [] };
  }

  #headers(): Record<string, string> {
    const headers: Record<string, string> = { 'x-request-id': this.accepted.requestId };
    if (this.#explanation) headers[EXPLANATION_HEADER] = explanationHeader(this.#explanation);
    this.accepted.hold?.addHeaders(headers);
    const row = this.#replica?.row;
    if (row?.simulated) headers['x-uellm-simulated'] = 'true';
    if (!this.#parts.explainHeaders || !row) return headers;
    headers['x-uellm-replica'] = row.replicaId;
    headers['x-uellm-policy'] = this.accepted.policy.name;
    headers['x-uellm-queue-ms'] = this.#queueMs.toFixed(1);
    if (this.accepted.request.endpoint !== 'embedding') {
      headers['x-uellm-predicted-output-tokens'] = this.predictedOutput.p50.toFixed(0);
    }
    if (this.#predicted) headers['x-uellm-predicted-ttft-ms'] = this.#predicted.ttftMs.toFixed(1);
    headers['x-uellm-overhead-ms'] = this.#overheadMs.toFixed(3);
    return headers;
  }
}
