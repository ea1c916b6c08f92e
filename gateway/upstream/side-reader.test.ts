import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SideReader } from './side-reader.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function engine(answer: (req: IncomingMessage, res: ServerResponse) => void) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = new SideReader(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  closing.push(() => {
    reader.destroy();
    server.close();
    server.closeAllConnections();
  });
  return { server, reader };
}

describe('asking an engine beside requests', () => {
  it('gives the text of an answer, nothing for another status, and rejects what the engine is to blame for', async () => {
    const { reader } = await engine((req, res) => {
      res.statusCode = Number(req.url!.slice(1));
      res.end('vllm:num_requests_running 3 µ');
    });
    await expect(reader.read('/200', 1000)).resolves.toBe('vllm:num_requests_running 3 µ');
    await expect(reader.read('/404', 1000)).resolves.toBeNull();
    await expect(reader.read('/503', 1000)).rejects.toThrow('answers 503');
  });

  it('uses its connection again', async () => {
    const { server, reader } = await engine((_, res) => res.end('ok'));
    let connections = 0;
    server.on('connection', () => connections++);
    for (let i = 0; i < 5; i++) await reader.read('/metrics', 1000);
    expect(connections).toBe(1);
  });

  it('rejects an engine that begins and does not end in time, and one that nobody listens at', async () => {
    const { server, reader } = await engine((_, res) => res.write('vllm:'));
    await expect(reader.read('/metrics', 50)).rejects.toThrow('no answer within 50 ms');
    server.closeAllConnections();
    server.close();
    await expect(reader.read('/metrics', 1000)).rejects.toThrow('ECONNREFUSED');
  });

  it('rejects an engine that wants to speak another protocol, and one that hangs up', async () => {
    const { reader } = await engine((req, res) => {
      if (req.url === '/101') res.socket!.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
      else res.socket!.destroy();
    });
    await expect(reader.read('/101', 1000)).rejects.toThrow('without an answer');
    await expect(reader.read('/gone', 1000)).rejects.toThrow('socket hang up');
  });

  it('rejects an answer that has no end to speak of', async () => {
    const megabyte = Buffer.alloc(1024 * 1024, 'a');
    const { reader } = await engine((_, res) => {
      const more = () => {
        while (!res.destroyed && res.write(megabyte));
      };
      res.on('drain', more);
      more();
    });
    await expect(reader.read('/metrics', 5000)).rejects.toThrow('its answer exceeds 16777216 bytes');
  });

  it('answers what is open when it is closed, and nothing that comes after', async () => {
    const { server, reader } = await engine(() => undefined);
    const open = reader.read('/metrics', 5000);
    const [, res] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
    reader.close();
    await expect(reader.read('/metrics', 1000)).rejects.toThrow('not routed any more');
    res.end('ok');
    await expect(open).resolves.toBe('ok');
  });

  it('lets go of what is open when it is destroyed', async () => {
    const { server, reader } = await engine(() => undefined);
    const open = reader.read('/metrics', 5000);
    await once(server, 'request');
    reader.destroy();
    await expect(open).rejects.toThrow();
  });
});
