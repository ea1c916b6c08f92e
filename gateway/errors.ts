/** What clients are told when something is refused or fails: OpenAI's error body, with the headers that routers of this field use. */
import type { ServerResponse } from 'node:http';
import type { BudgetRefusal } from '../core/scheduler/tenant-budget.ts';

export interface ApiError {
  status: number;
  /** Which of OpenAI's kinds. */
  type: 'invalid_request_error' | 'authentication_error' | 'rate_limit_error' | 'requests' | 'tokens' | 'server_error';
  code: string;
  message: string;
  /** The field or header at fault. */
  param?: string;
  retryAfterSeconds?: number;
  /** Sent as `x-llm-d-request-dropped-reason`. */
  droppedReason?: string;
  /** Others that go with it. */
  headers?: Record<string, string>;
}

/** Thrown while a request is read; everything after that answers by value. */
export class RequestError extends Error {
  readonly error: ApiError;
  constructor(error: ApiError) {
    super(error.message);
    this.error = error;
  }
}

export function errorBody({ message, type, code, param }: ApiError): string {
  return JSON.stringify({ error: { message, type, code, param: param ?? null } });
}

/** Answers with an error. What the client is still sending is read and forgotten, so that it can see the answer. */
export function sendError(res: ServerResponse, error: ApiError, headers: Record<string, string> = {}): void {
  if (res.headersSent || res.destroyed) return;
  const body = errorBody(error);
  const all: Record<string, string | number> = {
    ...headers,
    ...error.headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  if (error.retryAfterSeconds !== undefined) all['retry-after'] = Math.max(1, Math.ceil(error.retryAfterSeconds));
  if (error.droppedReason) all['x-llm-d-request-dropped-reason'] = error.droppedReason;
  if (error.status === 401) all['www-authenticate'] = 'Bearer';
  if (error.code === 'draining') all.connection = 'close';
  res.writeHead(error.status, all);
  res.end(body);
}

const invalid = (status: number, code: string, message: string, param?: string): ApiError => ({
  status,
  type: 'invalid_request_error',
  code,
  message,
  ...(param === undefined ? {} : { param }),
});

export const malformedJson = (detail: string) => invalid(400, 'malformed_json', `the body is not a JSON object: ${detail}`);

export const invalidField = (field: string, given: unknown, allowed: string) =>
  invalid(400, 'invalid_value', `'${field}': got ${show(given)}, allowed is ${allowed}`, field);

export const valueTooLarge = (field: string, bytes: number, most: number) =>
  invalid(400, 'invalid_value', `'${field}': got ${bytes} bytes, allowed are ${most} at the most`, field);

export const chatTemplateFailed = (detail: string) =>
  invalid(400, 'chat_template_failed', `the model's chat template does not take these messages: ${detail.slice(0, 500)}`, 'messages');

export const engineRejected = (detail: string) => invalid(400, 'engine_rejected', `the engine refuses the request: ${detail}`);

export const modelNotFound = (name: string, served: readonly string[]) =>
  invalid(404, 'model_not_found', `the model ${show(name)} is not served here; ${servedNames(served)}`, 'model');

export const noHost = () => invalid(400, 'malformed_request', 'a request of HTTP/1.1 has a Host header');

export const unknownExpectation = (given: string) =>
  invalid(417, 'expectation_failed', `'expect': got ${show(given)}, allowed is 100-continue`);

export const unknownPath = (path: string) => invalid(404, 'unknown_url', `there is nothing at ${show(path)}`);

export const wrongMethod = (method: string, allowed: string) =>
  invalid(405, 'method_not_allowed', `${method} is not supported here, only ${allowed}`);

export const tooLarge = (limitBytes: number) =>
  invalid(413, 'request_too_large', `the body is larger than ${mebibytes(limitBytes)} MiB, the most that is accepted`);

export const tooManyHeaders = (most: number) =>
  invalid(431, 'headers_too_large', `the request has more than ${most} headers, the most that are accepted`);

export const tookTooLong = (mostMs: number): ApiError => ({
  status: 504,
  type: 'server_error',
  code: 'request_too_long',
  message: `the request has taken more than ${Math.round(mostMs / 1000)} s, the longest that one may take`,
});

export const unauthorized = (reason: string): ApiError => ({
  status: 401,
  type: 'authentication_error',
  code: 'invalid_api_key',
  message: reason,
});

/** @param waitMs until that address may try again */
export const tooManyFailures = (waitMs: number): ApiError => ({
  status: 429,
  type: 'rate_limit_error',
  code: 'too_many_failed_authentications',
  message: 'too many requests from this address came with keys that are not known',
  retryAfterSeconds: waitMs / 1000,
});

export const notThisKeys = (reason: string): ApiError => ({
  status: 403,
  type: 'authentication_error',
  code: 'not_allowed',
  message: reason,
});

export const foreignHost = (host: string) => invalid(403, 'foreign_host', `the Host header ${show(host)} is not this machine's loopback`);

export const foreignOrigin = (origin: string) =>
  invalid(403, 'foreign_origin', `the Origin header ${show(origin)} is not this gateway's own, and without an API key no other is served`);

export const queueFull = (deployment: string, queued: number, retryAfterSeconds: number): ApiError => ({
  status: 429,
  type: 'rate_limit_error',
  code: 'queue_full',
  message: `${queued} requests wait for '${deployment}' already`,
  retryAfterSeconds,
  droppedReason: 'queue-full',
});

export const shed = (deployment: string, reason: 'waited-too-long' | 'displaced', retryAfterSeconds: number): ApiError => ({
  status: 429,
  type: 'rate_limit_error',
  code: 'shed',
  message:
    reason === 'displaced'
      ? `the queue of '${deployment}' is full, and a more urgent request or one of a tenant with fewer waiting took this one's place`
      : `the SLO policy lets this request go: it has waited for '${deployment}' as long as it may`,
  retryAfterSeconds,
  droppedReason: reason,
});

const LIMITS = {
  requestsPerMinute: { words: 'requests per minute', type: 'requests', reason: 'requests-per-minute' },
  tokensPerMinute: { words: 'tokens per minute', type: 'tokens', reason: 'tokens-per-minute' },
  requestsInFlight: { words: 'requests in flight', type: 'requests', reason: 'requests-in-flight' },
  tokensPerDay: { words: 'tokens per day', type: 'tokens', reason: 'tokens-per-day' },
} as const;

/** As OpenAI says it; its clients read `retry-after-ms` before `retry-after`, and `x-should-retry` before either. */
export function rateLimited(tenant: string, refusal: BudgetRefusal, headers: Record<string, string>): ApiError {
  const { limit, allowed, used, asked, retryAfterMs } = refusal;
  const { words, type, reason } = LIMITS[limit];
  const when = retryAfterMs === null ? 'It never has room for this request' : `There is room in ${retryAfterMs / 1000} s`;
  return {
    status: 429,
    type,
    code: 'rate_limit_exceeded',
    message: `Rate limit reached for tenant '${tenant}' on ${words}: limit ${allowed}, used ${used}, requested ${asked}. ${when}.`,
    ...(retryAfterMs === null ? {} : { retryAfterSeconds: retryAfterMs / 1000 }),
    droppedReason: reason,
    headers: { ...headers, ...(retryAfterMs === null ? { 'x-should-retry': 'false' } : { 'retry-after-ms': String(retryAfterMs) }) },
  };
}

export const noReplica = (deployment: string): ApiError => ({
  status: 503,
  type: 'server_error',
  code: 'no_replica',
  message: `no replica of '${deployment}' is serving`,
  retryAfterSeconds: 5,
  droppedReason: 'no-replica',
});

export const bodiesHeld = (limitBytes: number): ApiError => ({
  status: 429,
  type: 'rate_limit_error',
  code: 'bodies_held',
  message: `the bodies of open requests take ${mebibytes(limitBytes)} MiB already, the most that this gateway holds`,
  retryAfterSeconds: 1,
  droppedReason: 'bodies-held',
});

/** Before the first routing table: nobody knows yet what is served. */
export const starting = (): ApiError => ({
  status: 503,
  type: 'server_error',
  code: 'starting',
  message: 'this gateway has just been started and does not know its replicas yet',
  retryAfterSeconds: 1,
  droppedReason: 'starting',
});

export const draining = (): ApiError => ({
  status: 503,
  type: 'server_error',
  code: 'draining',
  message: 'this gateway is being shut down',
  retryAfterSeconds: 1,
  droppedReason: 'draining',
});

export const upstreamFailed = (detail: string): ApiError => ({
  status: 502,
  type: 'server_error',
  code: 'engine_failed',
  message: `the engine did not answer: ${detail}`,
});

export const internalError = (): ApiError => ({
  status: 500,
  type: 'server_error',
  code: 'internal_error',
  message: 'the gateway failed at this request; its log says why',
});

const mebibytes = (bytes: number) => Math.floor(bytes / 1024 / 1024);

function servedNames(served: readonly string[]): string {
  if (served.length === 0) return 'nothing is';
  const most = 20;
  const rest = served.length > most ? ` and ${served.length - most} more` : '';
  return `served are ${served.slice(0, most).join(', ')}${rest}`;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = written(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'something nested too deeply to show';
  }
}
