import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeEngineContract } from '../../test/engines/contract.ts';
import { engineSpec } from '../../test/engines/support.ts';
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
    const args_ = { 'scheduling-policy': 'fcfs', 'shutdown-timeout': 3600 };
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ ...spec, args: args_ });
    rmSync(directory, { recursive: true });
  });
});

if (built) {
  describeEngineContract({
    driver: (directory) => createSimulatedDriver({ directory: join(directory, 'specs') }),
    spec: (generation) => engineSpec({ generation, args: { 'simulated-load-seconds': 0.5 } }),
    readyWithinMs: 10_000,
    streamTokens: 200,
  });
} else {
  it('keeps the engine contract', (context) => context.skip(unbuilt));
}
