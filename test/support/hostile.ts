/**
 * A gateway among hostile clients and engines: whatever they do, a healthy request beside them is served untouched, and nothing stays open
 * behind them. Clients and engines here speak bytes, not HTTP.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'vitest';
import type { RoutedReplica } from '../../core/domain/routing.ts';
import type { GatewayOptions } from '../../gateway/options.ts';
import { complete, type ErrorBody, type RoutedGateway, routedReplica, startRoutedGateway, until } from './gateway.ts';
import { DONE, startUpstream, type TestUpstream, token } from './upstream.ts';

export interface BesiegedGateway {
  url: string;
  /** Serves `chat`: as the test says. */
  engine: TestUpstream;
  /** Lets `chat` be served by these; a healthy replica of `neighbour` stays beside them. */
  serve(...replicas: RoutedReplica[]): void;
  /** Does something while a healthy stream runs; then that stream must come out whole, and nothing may be open. */
  beside<T>(act: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function startBesieged(options: Partial<Omit<GatewayOptions, 'source'>> = {}): Promise<BesiegedGateway> {
  const engine = await startUpstream();
  let sent = '';
  let goOn = () => {};
  const healthy = await startUpstream(async (res) => {
    const send = (text: string) => {
      sent += text;
      res.write(text);
    };
    sent = '';
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    send(token('a'));
    const timer = setInterval(() => send(token('b')), 50);
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    clearInterval(timer);
    send(DONE);
    res.end();
  });
  const gateway: RoutedGateway = await startRoutedGateway(options);
  const neighbour = routedReplica({ replicaId: 'healthy', endpoint: healthy.url, deployment: 'neighbour', model: 'other' });
  const serve = (...replicas: RoutedReplica[]) => gateway.route([...replicas, neighbour]);
  serve(routedReplica({ replicaId: 'r1', endpoint: engine.url }));
  return {
    url: gateway.url,
    engine,
    serve,
    async beside(act) {
      const response = await complete(gateway, { model: 'neighbour', stream: true });
      const done = act();
      // What fails is told by the last line; here it must only not go unheard.
      await done.catch(() => undefined);
      goOn();
      expect(await response.text()).toBe(sent);
      const result = await done;
      await until(async () => (await openAt(gateway)) === 0);
      return result;
    },
    async close() {
      await gateway.close();
      await Promise.all([engine.close(), healthy.close()]);
    },
  };
}

/** Requests open at the gateway, and on the replicas that it knows. */
export async function openAt({ url }: { url: string }): Promise<number> {
  const stats = (await (await fetch(`${url}/uellm/stats`)).json()) as { open: number; replicas: { inFlight: number }[] };
  return stats.open + stats.replicas.reduce((sum, { inFlight }) => sum + inFlight, 0);
}

export interface RawClient {
  socket: Socket;
  /** All that has come. */
  text(): string;
  /** All that came, once the other side has ended. */
  ended: Promise<string>;
}

/** A connection to the gateway that sends these bytes. */
export function rawClient({ url }: { url: string }, bytes: string | Buffer = ''): RawClient {
  const chunks: Buffer[] = [];
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
  if (bytes.length > 0) socket.write(bytes);
  const text = () => Buffer.concat(chunks).toString('latin1');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('end', () => socket.end());
  socket.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(text())));
  return { socket, text, ended };
}

/** Sends these bytes, and has all that comes until the gateway ends the connection. */
export const exchangeRaw = (gateway: { url: string }, bytes: string | Buffer) => rawClient(gateway, bytes).ended;

/** A completion request as bytes. @param head more lines of it, each with its end */
export function rawCompletion(body: string, head = ''): string {
  const length = Buffer.byteLength(body);
  return `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n${head}content-length: ${length}\r\n\r\n${body}`;
}

export interface RawEngine {
  url: string;
  /** Requests that reached it, as text. */
  requests: string[];
  /** Connections that are open to it. */
  sockets: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/** An engine that does to a connection what the test says, each time that a whole request has come on it. */
export async function startRawEngine(onRequest: (socket: Socket, nth: number) => void): Promise<RawEngine> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    let received = '';
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      received += data.toString('latin1');
      if (received.startsWith('GET /metrics')) {
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
        return;
      }
      sockets.add(socket);
      const end = received.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (end === -1 || received.length < end + 4 + length) return;
      requests.push(received);
      received = '';
      onRequest(socket, requests.length);
    });
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    requests,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The error of an answer in OpenAI's form. @throws where it has another form */
export async function errorOf(response: Response): Promise<ErrorBody['error']> {
  expect(response.headers.get('content-type')).toBe('application/json');
  const { error } = (await response.json()) as ErrorBody;
  expect(error).toEqual({
    message: expect.any(String),
    type: expect.any(String),
    code: expect.any(String),
    param: error.param === null ? null : expect.any(String),
  });
  return error;
}
