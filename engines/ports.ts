/** TCP ports for engines. */
import { createServer } from 'node:net';

/**
 * A port of `address` that was free a moment ago: someone else may still take it first, and then the engine says so and exits.
 * @param avoid ports given to engines that have not come to bind them yet
 * @param offsets of further ports above it that are to be free, too
 */
export async function freePort(address: string, avoid: ReadonlySet<number>, offsets: readonly number[] = []): Promise<number> {
  for (;;) {
    const port = await bindPort(address, 0);
    const further = offsets.map((offset) => port + offset);
    if ([port, ...further].some((p) => avoid.has(p) || p > 65_535)) continue;
    const bound = await Promise.all(further.map((p) => bindPort(address, p).catch(() => null)));
    if (!bound.includes(null)) return port;
  }
}

/** @param wanted 0 for any. @throws EADDRINUSE */
function bindPort(address: string, wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(wanted, address, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
