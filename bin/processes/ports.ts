/** TCP ports of this machine. */
import { createServer } from 'node:net';

/** A port that was free a moment ago. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  const port = await listenOnce(0, address);
  if (port === null) throw new Error(`no TCP port is free on ${address}`);
  return port;
}

/** Could somebody listen there now? */
export async function isPortFree(port: number, address = '127.0.0.1'): Promise<boolean> {
  return (await listenOnce(port, address)) !== null;
}

function listenOnce(port: number, address: string): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, address, () => {
      const bound = (server.address() as { port: number }).port;
      server.close(() => resolve(bound));
    });
  });
}
