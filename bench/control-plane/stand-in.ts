/**
 * Engines for a fleet that one machine could not run: to the host each is a process of its own, which it starts by UELLM_VLLM_COMMAND, fences
 * and stops; but that process only sleeps. One process of ours, this program, holds a simulated engine for each and answers on its port.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { runRole } from '../../bin/role.ts';
import { startSimulatedEngine } from '../../engines/simulated/server.ts';
import { parseSettings } from '../../engines/simulated/settings.ts';

/** Asks for an engine on its port by the names that it is to serve, and goes to sleep in the place of it. */
const SCRIPT = `#!/bin/bash
registry=$1 port=$2
while [ $# -gt 0 ] && [ "$1" != --served-model-name ]; do shift; done
exec 3<>"/dev/tcp/127.0.0.1/$registry"
printf 'POST /?port=%s&deployment=%s&model=%s HTTP/1.0\\r\\n\\r\\n' "$port" "$2" "$3" >&3
read -r _ status _ <&3
[ "$status" = 200 ] || { echo "no engine on port $port: $status"; exit 1; }
exec 3>&-
exec sleep infinity
`;

/** Writes the script. @returns what UELLM_VLLM_COMMAND holds */
export function standInCommand(directory: string, registryPort: number): string {
  const file = join(directory, 'stand-in.sh');
  writeFileSync(file, SCRIPT, { mode: 0o755 });
  return `/bin/bash ${file} ${registryPort} {port}`;
}

/** A model of half a billion parameters: its steps take next to nothing, the control plane is what is measured. */
const SPEC = {
  source: 'hf://example/tiny',
  acceleratorKind: 'L4',
  tensorParallel: 1,
  shape: { weightsBytes: 1e9, maxContextTokens: 8192 },
  stepTime: { d0: 4, d1: 0.001, d2: 1e-6, ra: 0.01, rc: 0.005, rb: 1e-7, o: 1 },
  kvCacheTokens: 100_000,
  maxSequences: 256,
  args: { 'simulated-load-seconds': 0.2 },
};

async function main(registryPort: number): Promise<void> {
  await runRole('stand-in', 'info', async () => {
    const registry = createServer(async (req, res) => {
      const wanted = new URL(req.url ?? '/', 'http://registry').searchParams;
      const [port, deployment, model] = ['port', 'deployment', 'model'].map((name) => wanted.get(name) ?? '');
      try {
        await startSimulatedEngine(parseSettings({ ...SPEC, replicaId: `${deployment}-${port}`, deployment, model }), {
          address: '127.0.0.1',
          port: Number(port),
        });
        res.writeHead(200).end();
      } catch (error) {
        res.writeHead(409).end(String(error));
      }
    });
    await new Promise<void>((resolve) => registry.listen(registryPort, '127.0.0.1', resolve));
    return async () => registry.closeAllConnections();
  });
}

const [port] = process.argv.slice(2);
if (process.argv[1]?.endsWith('stand-in.js') && port) await main(Number(port));
