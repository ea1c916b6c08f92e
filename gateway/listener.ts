/** The HTTP server: which path is what, who may use it, and what becomes of connections that are no HTTP. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type AcceptParts, acceptCompletion } from './accept.ts';
import { EVERYBODY, type Keyring } from './access/auth.ts';
import type { GatewayStats, ModelList } from './accounts/views.ts';
import { ENDPOINT_PATHS } from './body/request.ts';
import {
  type ApiError,
  errorBody,
  internalError,
  modelNotFound,
  noHost,
  notThisKeys,
  sendError,
  tooManyHeaders,
  unknownExpectation,
  unknownPath,
  wrongMethod,
} from './errors.ts';
import type { ExchangeParts } from './exchange.ts';
import { mayGoAhead } from './pipelined.ts';

export interface ListenerParts {
  keyring: Keyring;
  /** A client must send its headers, and all of its request, within these; the answer may take as long as it takes. */
  headersWithinMs: number;
  requestWithinMs: number;
  ready: () => boolean;
  /** No answer leaves its connection open for another request: this gateway is about to end. */
  leaving: () => boolean;
  models: () => ModelList;
  stats: () => Promise<GatewayStats>;
  metrics: () => Promise<{ type: string; text: string }>;
}

const KEEP_ALIVE_MS = 75_000;
const MAX_HEADER_BYTES = 32 * 1024;
const MAX_HEADERS = 200;
/** When a half-closed connection is tried: some clients take no more than five interim responses. */
const PROBES_MS = [0, 100, 1000, 5000];
/** How exactly slow clients are measured, at the coarsest. */
const LOOK_EVERY_MS = 1000;

/** One model follows, percent-encoded. */
const MODEL_PATH = '/v1/models/';

/** Open to whoever reaches the port: probes and Prometheus carry no key. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/metrics']);

/** Of every tenant's requests together. */
const FLEET_PATHS = new Set(['/uellm/stats']);

export function createListener(accept: AcceptParts, parts: ListenerParts, create: typeof createServer = createServer): Server {
  const server = create(
    {
      headersTimeout: Math.min(parts.headersWithinMs, parts.requestWithinMs),
      requestTimeout: parts.requestWithinMs,
      connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, parts.headersWithinMs / 4),
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false, // it would be refused without a word
    },
    (req, res) => {
      // A connection that breaks is noticed by its 'close'; an error without a listener would end the process.
      res.on('error', () => undefined);
      if (mayGoAhead(res)) handle(accept, parts, req, res);
    },
  );
  server.maxHeadersCount = 0; // beyond a count it would drop them unsaid
  server.on('checkExpectation', (req, res) => refuse(accept, res, unknownExpectation(String(req.headers.expect))));
  server.on('clientError', (error, socket) => answerBrokenRequest(error, socket as Socket, accept.onRefused));
  letHalfClosedStay(server, accept.open);
  return server;
}

/**
 * A client that ends its side of the connection may still read the answer, or be gone: TCP does not say. So its answer goes on, and
 * interim responses tell the two apart, or comments in a stream that has begun: whoever is gone resets the connection at the first, and the
 * next cannot be written. A whole answer that has begun needs neither: its own bytes do the same. HTTP/1.0 has no interim responses, and
 * counts as gone. Source: RFC 9293, section 3.6; RFC 9110, section 15.2.
 */
function letHalfClosedStay(server: Server, open: ExchangeParts['open']): void {
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.on('end', () => {
      const res = answerOn(socket);
      if (!res) return;
      if (res.req.httpVersion === '1.0' && !res.headersSent) socket.destroy();
      else for (const afterMs of PROBES_MS) setTimeout(() => probe(res, open), afterMs).unref();
    });
  });
}

function probe(res: ServerResponse, open: ExchangeParts['open']): void {
  if (res.destroyed || res.writableEnded) return;
  if (!res.headersSent) res.writeProcessing();
  else open.get(res)?.probe();
}

/** The answer that is due on a connection; null where none is. */
function answerOn(socket: Socket): ServerResponse<IncomingMessage> | null {
  return (socket as Socket & { _httpMessage?: ServerResponse<IncomingMessage> | null })._httpMessage ?? null;
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
  return urlOf(server, address, (server.address() as AddressInfo).port);
}

export function urlOf(server: Server, address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${server instanceof TlsServer ? 'https' : 'http'}://${host}:${port}`;
}

function handle(accept: AcceptParts, parts: ListenerParts, req: IncomingMessage, res: ServerResponse): void {
  // What follows a wish for another protocol on its connection is not read as HTTP any more, whether the wish is granted or not.
  if (parts.leaving() || req.headers.upgrade !== undefined) res.shouldKeepAlive = false;
  if (req.rawHeaders.length > 2 * MAX_HEADERS) {
    refuse(accept, res, tooManyHeaders(MAX_HEADERS), { connection: 'close' });
    return;
  }
  if (req.headers.host === undefined && req.httpVersion === '1.1') {
    refuse(accept, res, noHost(), { connection: 'close' });
    return;
  }
  const url = originForm(req);
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  const access = !parts.keyring.open && OPEN_PATHS.has(path) ? EVERYBODY : parts.keyring.authorize(req);
  const endpoint = Object.hasOwn(ENDPOINT_PATHS, path) ? ENDPOINT_PATHS[path] : undefined;
  const view = endpoint
    ? undefined
    : path.startsWith(MODEL_PATH)
      ? modelView(path.slice(MODEL_PATH.length))
      : Object.hasOwn(VIEWS, path)
        ? VIEWS[path]
        : undefined;
  if (!access.allowed) refuse(accept, res, access.error);
  else if (endpoint && !access.infers) refuse(accept, res, notThisKeys('a key with the role viewer sends no requests to models'));
  else if (view && access.tenant !== null && FLEET_PATHS.has(path))
    refuse(accept, res, notThisKeys('this is of the whole fleet, and the key is of a tenant'));
  else if (endpoint && req.method === 'POST') acceptCompletion(accept, endpoint, req, res, access.tenant);
  else if (view && (req.method === 'GET' || req.method === 'HEAD')) view(parts, res);
  else if (endpoint || view) {
    const allowed = endpoint ? 'POST' : 'GET';
    refuse(accept, res, wrongMethod(req.method ?? '', allowed), { allow: allowed });
  } else refuse(accept, res, unknownPath(path));
}

function refuse({ onRefused }: AcceptParts, res: ServerResponse, error: ApiError, headers?: Record<string, string>): void {
  onRefused(error.code);
  sendError(res, error, headers);
}

/** What is asked for without scheme and host, which proxies may send; for the engine too. Source: RFC 9112, section 3.2.2. */
function originForm(req: IncomingMessage): string {
  const url = req.url ?? '/';
  if (url.startsWith('/')) return url;
  const target = /^https?:\/\/[^/?#]*(.*)$/i.exec(url)?.[1];
  if (target === undefined) return url;
  req.url = target.startsWith('/') ? target : `/${target}`;
  return req.url;
}

type View = (parts: ListenerParts, res: ServerResponse) => void;

function modelView(encoded: string): View {
  return (parts, res) => {
    const { data } = parts.models();
    const name = decoded(encoded);
    const model = data.find(({ id }) => id === name);
    if (model) sendJson(res, 200, model);
    else
      sendError(
        res,
        modelNotFound(
          name,
          data.map(({ id }) => id),
        ),
      );
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const VIEWS: Record<string, View> = {
  '/healthz': (_, res) => sendJson(res, 200, { status: 'ok' }),
  '/readyz': (parts, res) => (parts.ready() ? sendJson(res, 200, { status: 'ready' }) : sendJson(res, 503, { status: 'not ready' })),
  '/v1/models': (parts, res) => sendJson(res, 200, parts.models()),
  '/uellm/stats': (parts, res) => {
    parts.stats().then(
      (stats) => sendJson(res, 200, stats),
      () => sendError(res, internalError()),
    );
  },
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

function sendJson(res: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  res.end(text);
}

/** What does not even parse as HTTP, or comes too slowly, is answered on the bare socket. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket, onRefused: AcceptParts['onRefused']): void {
  // Behind an answer that has begun, another would be read as its end.
  if (error.code === 'ECONNRESET' || !socket.writable || answerOn(socket)?.headersSent) {
    socket.destroy();
    return;
  }
  const [status, code, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'headers_too_large', `the headers are larger than ${MAX_HEADER_BYTES / 1024} KiB`]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'request_timeout', 'the request did not come in time']
        : ['400 Bad Request', 'malformed_request', 'this is no HTTP request'];
  onRefused(code);
  const body = errorBody({ status: Number.parseInt(status, 10), type: 'invalid_request_error', code, message });
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
