/** TCP ports for engines. */
import { createServer } from 'node:net';

/**
 * A port of `address` that was free a moment ago: someone else may still take it first, and then the engine says so and exits.
 * @param avoid ports given to engines that have not come to bind them yet
 */
export async function freePort(address: string, avoid: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = await bindAnyPort(address);
    if (!avoid.has(port)) return port;
  }
}

function bindAnyPort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, address, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
