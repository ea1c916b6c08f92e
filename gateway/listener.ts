/** The HTTP server: which path is what, who may use it, and what becomes of connections that are no HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type AcceptParts, acceptCompletion } from './accept.ts';
import { authorize, type GatewayKey } from './auth.ts';
import { errorBody, internalError, sendError, unknownPath, wrongMethod } from './errors.ts';
import { ENDPOINT_PATHS } from './request.ts';
import type { GatewayStats, ModelList } from './views.ts';

export interface ListenerParts {
  keys: readonly GatewayKey[];
  ready: () => boolean;
  models: () => ModelList;
  stats: () => GatewayStats;
  metrics: () => Promise<{ type: string; text: string }>;
}

/** A client must send its headers, and then all of its request, within these; the answer may take as long as it takes. */
const HEADERS_WITHIN_MS = 15_000;
const REQUEST_WITHIN_MS = 120_000;
const KEEP_ALIVE_MS = 75_000;
const MAX_HEADER_BYTES = 32 * 1024;

/** Open to whoever reaches the port: probes and Prometheus carry no key. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/metrics']);

export function createListener(accept: AcceptParts, parts: ListenerParts): Server {
  const server = createServer(
    {
      headersTimeout: HEADERS_WITHIN_MS,
      requestTimeout: REQUEST_WITHIN_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    (req, res) => {
      // A connection that breaks is noticed by its 'close'; an error without a listener would end the process.
      res.on('error', () => undefined);
      handle(accept, parts, req, res);
    },
  );
  server.on('clientError', answerBrokenRequest);
  return server;
}

/** @returns the base URL. @throws the system's error, e.g. EADDRINUSE */
export async function listenOn(server: Server, address: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const host = address.includes(':') ? `[${address}]` : address;
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

function handle(accept: AcceptParts, parts: ListenerParts, req: IncomingMessage, res: ServerResponse): void {
  const url = req.url ?? '/';
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  const open = parts.keys.length > 0 && OPEN_PATHS.has(path);
  const access = open ? { allowed: true as const, tenant: null } : authorize(req, parts.keys);
  const endpoint = Object.hasOwn(ENDPOINT_PATHS, path) ? ENDPOINT_PATHS[path] : undefined;
  const view = Object.hasOwn(VIEWS, path) ? VIEWS[path] : undefined;
  if (!access.allowed) sendError(res, access.error);
  else if (endpoint && req.method === 'POST') acceptCompletion(accept, endpoint, req, res, access.tenant);
  else if (view && req.method === 'GET') view(parts, res);
  else if (endpoint || view) refuseMethod(req, res, endpoint ? 'POST' : 'GET');
  else sendError(res, unknownPath(path));
}

const VIEWS: Record<string, (parts: ListenerParts, res: ServerResponse) => void> = {
  '/healthz': (_, res) => sendJson(res, 200, { status: 'ok' }),
  '/readyz': (parts, res) => (parts.ready() ? sendJson(res, 200, { status: 'ready' }) : sendJson(res, 503, { status: 'not ready' })),
  '/v1/models': (parts, res) => sendJson(res, 200, parts.models()),
  '/uellm/stats': (parts, res) => sendJson(res, 200, parts.stats()),
  '/metrics': (parts, res) => {
    parts.metrics().then(
      ({ type, text }) => {
        res.writeHead(200, { 'content-type': type });
        res.end(text);
      },
      () => sendError(res, internalError()),
    );
  },
};

function refuseMethod(req: IncomingMessage, res: ServerResponse, allowed: string): void {
  sendError(res, wrongMethod(req.method ?? '', allowed), { allow: allowed });
}

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

/** What does not even parse as HTTP, or comes too slowly, is answered on the bare socket. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'headers_too_large', `the headers are larger than ${MAX_HEADER_BYTES / 1024} KiB`]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'request_timeout', 'the request did not come in time']
        : ['400 Bad Request', 'malformed_request', 'this is no HTTP request'];
  const body = errorBody({ status: Number.parseInt(status, 10), type: 'invalid_request_error', code, message });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
