/** Errors in the form of vLLM's OpenAI server: `{"error": {message, type, param, code}}`. */
import type { ServerResponse } from 'node:http';
import { messageOf, UellmError } from '../../core/domain/errors.ts';

export interface ApiError {
  status: number;
  type: string;
  message: string;
  /** The request field at fault. */
  param: string | null;
}

export const badRequest = (message: string, param: string | null = null): ApiError => ({
  status: 400,
  type: 'BadRequestError',
  message,
  param,
});
export const unknownModel = (model: string): ApiError => ({
  status: 404,
  type: 'NotFoundError',
  message: `The model \`${model}\` does not exist.`,
  param: 'model',
});
export const unknownRoute = (): ApiError => ({ status: 404, type: 'NotFoundError', message: 'Not Found', param: null });
export const wrongMethod = (): ApiError => ({ status: 405, type: 'MethodNotAllowedError', message: 'Method Not Allowed', param: null });
export const tooLarge = (limitBytes: number): ApiError => ({
  status: 413,
  type: 'BadRequestError',
  message: `The request body is larger than ${limitBytes} bytes.`,
  param: null,
});
export const unavailable = (message: string): ApiError => ({ status: 503, type: 'ServiceUnavailableError', message, param: null });

/** Anything thrown while a request was read. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof UellmError && error.detail.kind === 'invalid-input') {
    return badRequest(error.message, error.detail.issues[0]?.field || null);
  }
  return { status: 500, type: 'InternalServerError', message: messageOf(error), param: null };
}

export function errorBody(error: ApiError): string {
  return JSON.stringify({ error: { message: error.message, type: error.type, param: error.param, code: error.status } });
}

export function sendError(res: ServerResponse, error: ApiError): void {
  res.writeHead(error.status, { 'content-type': 'application/json', ...(error.status === 503 && { 'retry-after': '1' }) });
  res.end(errorBody(error));
}
