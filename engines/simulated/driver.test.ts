import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeEngineContract } from '../../test/engines/contract.ts';
import { engineSpec, testHosts, untilReady } from '../../test/engines/support.ts';
import { createSimulatedDriver } from './driver.ts';
import { isSimulatedEngineBuilt, simulatedEngineEntry } from './entry.ts';

const built = isSimulatedEngineBuilt();
const unbuilt = `${simulatedEngineEntry} is not built: npm run build`;

describe('the simulated driver', () => {
  it('hands the spec over in a file', async (context) => {
    context.skip(!built, unbuilt);
    const directory = mkdtempSync(join(tmpdir(), 'uellm-specs-'));
    const spec = engineSpec({ args: { 'scheduling-policy': 'fcfs' } });
    const { command, args } = await createSimulatedDriver({ directory }).launch(spec, { address: '127.0.0.1', port: 8123 });
    const file = join(directory, 'demo-1.json');
    expect([command, ...args]).toEqual([
      process.execPath,
      simulatedEngineEntry,
      '--spec',
      file,
      '--address',
      '127.0.0.1',
      '--port',
      '8123',
    ]);
    const withDefaults = { 'scheduling-policy': 'fcfs', 'shutdown-timeout': 3600 };
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ ...spec, args: withDefaults });
    rmSync(directory, { recursive: true });
  });

  it('starts engines that outlive a host worker which is killed with its whole group', async (context) => {
    context.skip(!built, unbuilt);
    const hosts = testHosts();
    const dist = new URL('../../', pathToFileURL(simulatedEngineEntry));
    const program = `
      import { createEngineHost } from '${new URL('engines/host.js', dist)}';
      import { createSimulatedDriver } from '${new URL('engines/simulated/driver.js', dist)}';
      const directory = ${JSON.stringify(hosts.directory)};
      const host = createEngineHost({ directory, drivers: [createSimulatedDriver({ directory: directory + '/specs' })] });
      await host.start(${JSON.stringify(engineSpec())});
      process.stdout.write('started');
      setInterval(() => {}, 1000);
    `;
    const worker = spawn(process.execPath, ['--input-type=module', '-e', program], { detached: true });
    while (!String(await once(worker.stdout, 'data')).includes('started')) {}
    process.kill(-worker.pid!, 'SIGKILL');
    await once(worker, 'exit');
    const successor = hosts.open([createSimulatedDriver({ directory: join(hosts.directory, 'specs') })]);
    await untilReady(successor, 'demo-1');
    const [before] = await successor.list();
    expect((await successor.start(engineSpec())).endpoint).toBe(before?.endpoint);
    expect(await successor.stop('demo-1', 1)).toEqual({ requestsDropped: 0 });
    await hosts.end();
  });
});

if (built) {
  describeEngineContract({
    driver: (directory) => createSimulatedDriver({ directory: join(directory, 'specs') }),
    spec: (generation) => engineSpec({ generation, args: { 'simulated-load-seconds': 0.5 } }),
    readyWithinMs: 10_000,
    streamTokens: 200,
    openai: true,
  });
} else {
  it('keeps the engine contract', (context) => context.skip(unbuilt));
}
