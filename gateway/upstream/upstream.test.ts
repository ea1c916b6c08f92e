import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/gateway.ts';
import { Upstream, type UpstreamHandler } from './upstream.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

type Engine = { url: string; sockets: Socket[]; requests: string[] };

/** Says to each request what it is told to, on bare sockets. */
async function engine(answer: (socket: Socket, request: string) => void): Promise<Engine> {
  const sockets: Socket[] = [];
  const requests: string[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const [head = '', body = ''] = text.split('\r\n\r\n');
      if (body.length < Number(/content-length: (\d+)/.exec(head)?.[1])) return;
      requests.push(text);
      text = '';
      answer(socket, requests.at(-1)!);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}/base/`, sockets, requests };
}

function upstream(url: string, idleTimeoutMs = 0): Upstream {
  const made = new Upstream(url, { connectTimeoutMs: 2000, idleTimeoutMs });
  closing.push(() => made.destroy());
  return made;
}

interface Heard {
  status: number;
  text: string;
  end: 'whole' | 'failed';
  error: string;
  neverSent: boolean;
}

function post(to: Upstream, body = '{}', act: Partial<UpstreamHandler> = {}) {
  const heard: Partial<Heard> = { text: '' };
  let call: ReturnType<Upstream['post']> | undefined;
  const ended = new Promise<Partial<Heard>>((resolve) => {
    call = to.post('/v1/x', { 'x-a': 'b' }, Buffer.from(body), {
      mayBeSilent: () => false,
      onHead: (status, headers) => {
        heard.status = status;
        act.onHead?.(status, headers);
      },
      onData: (chunk, isLast) => {
        heard.text += chunk.toString();
        act.onData?.(chunk, isLast);
      },
      onEnd: () => resolve(Object.assign(heard, { end: 'whole' })),
      onFailure: (error, neverSent) => resolve(Object.assign(heard, { end: 'failed', error: error.message, neverSent })),
    });
  });
  return { call: call!, ended };
}

const ok = (text: string, headers = '') => `HTTP/1.1 200 OK\r\n${headers}content-length: ${text.length}\r\n\r\n${text}`;

describe('an upstream', () => {
  it('sends a request as it is, small or large, under the path of the engine', async () => {
    const { url, requests } = await engine((socket) => socket.write(ok('hi')));
    const to = upstream(url);
    for (const body of ['{"a":1}', 'x'.repeat(300_000)]) {
      expect(await post(to, body).ended).toEqual({ status: 200, text: 'hi', end: 'whole' });
      const host = new URL(url).host;
      const head = `POST /base/v1/x HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\nx-a: b\r\ncontent-length: ${body.length}`;
      expect(requests.at(-1) === `${head}\r\n\r\n${body}`).toBe(true);
    }
  });

  it('uses a connection again, but not while it is in use', async () => {
    const { url, sockets } = await engine((socket) => setTimeout(() => socket.write(ok('hi')), 20));
    const to = upstream(url);
    await Promise.all([post(to).ended, post(to).ended]);
    expect(sockets).toHaveLength(2);
    for (let i = 0; i < 5; i++) expect((await post(to).ended).end).toBe('whole');
    expect(sockets).toHaveLength(2);
  });

  it.each([
    ['the engine closes', ok('hi', 'connection: close\r\n')],
    ['has no end but its connection’s', 'HTTP/1.1 200 OK\r\n\r\nhi'],
    ['the engine keeps for too short a time', ok('hi', 'keep-alive: timeout=1\r\n')],
    ['has said more than it was asked', `${ok('hi')}more`],
  ])('takes a new one where the connection %s', async (_, answer) => {
    const { url, sockets } = await engine((socket) => {
      socket.write(answer);
      if (!answer.includes('content-length')) socket.end();
    });
    const to = upstream(url);
    for (let i = 0; i < 2; i++) expect(await post(to).ended).toEqual({ status: 200, text: 'hi', end: 'whole' });
    expect(sockets).toHaveLength(2);
  });

  it('forgets a connection that the engine has closed, or speaks on unasked', async () => {
    const { url, sockets } = await engine((socket) => socket.write(ok('hi')));
    const to = upstream(url);
    await post(to).ended;
    sockets[0]!.end();
    await once(sockets[0]!, 'close');
    await post(to).ended;
    sockets[1]!.write(ok('unasked'));
    await once(sockets[1]!, 'close');
    expect((await post(to).ended).text).toBe('hi');
    expect(sockets).toHaveLength(3);
  });

  it('says when nobody listens, and when the engine may have heard', async () => {
    const { url, sockets } = await engine((socket) => socket.destroy());
    expect(await post(upstream(url)).ended).toMatchObject({ end: 'failed', neverSent: false });
    expect(sockets).toHaveLength(1);
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as { port: number };
    gone.close();
    await once(gone, 'close');
    const refused = await post(upstream(`http://127.0.0.1:${port}`)).ended;
    expect(refused).toMatchObject({ end: 'failed', neverSent: true });
    expect(refused.error).toMatch(/ECONNREFUSED/);
  });

  it('fails what breaks off, is no answer, or falls silent', async () => {
    const answers = [
      'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal',
      'SSH-2.0-OpenSSH\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nha',
    ];
    const { url } = await engine((socket) => {
      const answer = answers.shift()!;
      socket.write(answer);
      if (answers.length === 2) socket.end();
    });
    const to = upstream(url, 100);
    const errors = [/closed/, /not HTTP/, /silent for 100 ms/];
    for (const error of errors) {
      const heard = await post(to).ended;
      expect(heard).toMatchObject({ end: 'failed', neverSent: false });
      expect(heard.error).toMatch(error);
    }
  });

  it('does not call silence what it has paused itself', async () => {
    const { url, sockets, requests } = await engine((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha'));
    const { call, ended } = post(upstream(url, 100), '{}', { onData: () => call.pause() });
    await until(() => requests.length === 1);
    sockets[0]!.write('lf');
    await new Promise((resolve) => setTimeout(resolve, 400));
    call.resume();
    expect(await ended).toEqual({ status: 200, text: 'half', end: 'whole' });
  });

  it('ends a call that is given up, before it is connected or within its answer, and its connection', async () => {
    const { url, sockets } = await engine((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha'));
    const to = upstream(url);
    const early = post(to);
    early.call.abort();
    expect(await early.ended).toMatchObject({ end: 'failed', error: 'aborted', neverSent: false });
    const late = post(to, '{}', { onData: () => late.call.abort() });
    expect(await late.ended).toMatchObject({ end: 'failed', error: 'aborted', text: 'ha' });
    await until(() => sockets.every(({ destroyed }) => destroyed));
    late.call.abort();
  });

  it('takes nothing more once it is closed, and lets go on what is open', async () => {
    const { url, sockets, requests } = await engine((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha'));
    const to = upstream(url);
    const { ended } = post(to);
    await until(() => requests.length === 1);
    to.close();
    expect(await post(to).ended).toMatchObject({ end: 'failed', neverSent: true });
    sockets[0]!.write('lf');
    expect((await ended).text).toBe('half');
    await until(() => sockets[0]!.destroyed);
  });

  it('sends nothing to an https endpoint that has no certificate', async () => {
    const server = createTlsServer({ key: '', cert: '' }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(async () => server.close());
    const to = upstream(`https://127.0.0.1:${(server.address() as { port: number }).port}`);
    expect(await post(to).ended).toMatchObject({ end: 'failed', neverSent: false });
  });
});
