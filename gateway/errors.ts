/** What clients are told when something is refused or fails: OpenAI's error body, with the headers that routers of this field use. */
import type { ServerResponse } from 'node:http';

export interface ApiError {
  status: number;
  /** Which of OpenAI's kinds. */
  type: 'invalid_request_error' | 'authentication_error' | 'rate_limit_error' | 'server_error';
  code: string;
  message: string;
  /** The field or header at fault. */
  param?: string;
  retryAfterSeconds?: number;
  /** Sent as `x-llm-d-request-dropped-reason`. */
  droppedReason?: string;
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

export const chatTemplateFailed = (detail: string) =>
  invalid(400, 'chat_template_failed', `the model's chat template does not take these messages: ${detail.slice(0, 500)}`, 'messages');

export const engineRejected = (detail: string) => invalid(400, 'engine_rejected', `the engine refuses the request: ${detail}`);

export const modelNotFound = (name: string, served: readonly string[]) =>
  invalid(404, 'model_not_found', `the model ${show(name)} is not served here; ${servedNames(served)}`, 'model');

export const unknownPath = (path: string) => invalid(404, 'unknown_url', `there is nothing at ${show(path)}`);

export const wrongMethod = (method: string, allowed: string) =>
  invalid(405, 'method_not_allowed', `${method} is not supported here, only ${allowed}`);

export const tooLarge = (limitBytes: number) =>
  invalid(413, 'request_too_large', `the body is larger than ${Math.floor(limitBytes / 1024 / 1024)} MiB, the most that is accepted`);

export const unauthorized = (reason: string): ApiError => ({
  status: 401,
  type: 'authentication_error',
  code: 'invalid_api_key',
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
      ? `a more urgent request took this one's place in the queue of '${deployment}'`
      : `the SLO policy lets this request go: it has waited for '${deployment}' as long as it may`,
  retryAfterSeconds,
  droppedReason: reason,
});

export const noReplica = (deployment: string): ApiError => ({
  status: 503,
  type: 'server_error',
  code: 'no_replica',
  message: `no replica of '${deployment}' is serving`,
  retryAfterSeconds: 5,
  droppedReason: 'no-replica',
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
