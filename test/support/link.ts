/** A TCP way to a local server that can be cut: then nothing comes through in either direction, and nobody is told. */
import { connect, createServer, type Socket } from 'node:net';

export interface Link {
  port: number;
  /** What is sent meanwhile waits, as lost packets that are sent again do. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function openLink(targetPort: number): Promise<Link> {
  const sockets = new Set<Socket>();
  const waiting = new Set<Socket>();
  let isCut = false;

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined); // its 'close' follows
    if (isCut) socket.pause();
  };
  const join = (client: Socket) => {
    if (client.destroyed) return;
    const server = connect(targetPort, '127.0.0.1');
    keep(server);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.pipe(to);
      from.on('close', () => to.destroy());
    }
  };

  const listener = createServer((client) => {
    keep(client);
    if (isCut) waiting.add(client);
    else join(client);
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });

  return {
    port: (listener.address() as { port: number }).port,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
      for (const client of waiting) join(client);
      waiting.clear();
    },
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
