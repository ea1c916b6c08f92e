/** By which status, type and title errors are answered over HTTP (RFC 9457), whoever answers. */
import type { UellmErrorKind } from './errors.ts';

export const PROBLEMS: Readonly<Record<UellmErrorKind, readonly [status: number, title: string]>> = {
  'invalid-input': [422, 'Invalid input'],
  'not-found': [404, 'Not found'],
  'already-exists': [409, 'Exists already'],
  conflict: [409, 'Not possible in this state'],
  refused: [409, 'Refused'],
  'stale-generation': [409, 'Older generation'],
  'engine-failed': [502, 'Engine failed'],
  'disk-full': [502, 'Disk full'],
  unauthorized: [401, 'Not authenticated'],
  forbidden: [403, 'Not allowed'],
  unavailable: [503, 'Unavailable'],
};

/** By status: answers of HTTP itself, which nothing beneath a server could give. */
const OF_HTTP: Readonly<Record<number, readonly [type: string, title: string]>> = {
  400: ['malformed-request', 'Malformed request'],
  404: ['not-found', 'Not found'],
  405: ['method-not-allowed', 'Method not allowed'],
  412: ['precondition-failed', 'Precondition failed'],
  413: ['too-large', 'Request body too large'],
  415: ['unsupported-media-type', 'Unsupported media type'],
  429: ['too-many-failures', 'Too many failed authentications'],
  503: ['unavailable', 'Unavailable'],
};

export function httpProblem(status: number): readonly [type: string, title: string] {
  return OF_HTTP[status] ?? ['http', 'The request failed'];
}
