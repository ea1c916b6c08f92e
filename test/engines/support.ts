/** What tests of engine hosts share: specs, drivers of fake processes, hosts in folders of their own that leave nothing behind. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { shapeOf } from '../../core/domain/model-spec.ts';
import type { MemoryCheck } from '../../engines/accelerator-memory.ts';
import type { EngineDriver, EngineSpec } from '../../engines/driver.ts';
import { createEngineHost, type EngineHost } from '../../engines/host.ts';
import { readVllmMetrics } from '../../engines/metrics.ts';
import { probeReady, streamCompletion } from '../../engines/openai.ts';

const FAKE_ENGINE = fileURLToPath(new URL('./fake-engine.mjs', import.meta.url));
const shape = shapeOf({ name: 'llama-3.1-8b', source: 'hf://meta-llama/Llama-3.1-8B-Instruct', dtype: 'bf16' });

/** A spec with everything a driver may want; tests change what they are about. */
export function engineSpec(changes: Partial<EngineSpec> = {}): EngineSpec {
  return {
    replicaId: 'demo-1',
    generation: 1,
    host: 'h1',
    engine: 'simulated',
    deployment: 'demo',
    model: 'llama-3.1-8b',
    source: 'hf://meta-llama/Llama-3.1-8B-Instruct',
    dtype: 'bf16',
    shape,
    accelerators: [0],
    acceleratorKind: 'H100-SXM',
    tensorParallel: 1,
    args: {},
    stepTime: { d0: 6.37, d1: 0.0114, d2: 4.14e-5, ra: 0.0148, rc: 0.006, rb: 3.91e-7, o: 1 },
    kvCacheTokens: 300_000,
    maxSequences: 256,
    ...changes,
  };
}

/** Launches fake-engine.mjs in the mode that the spec's `args.mode` says. */
export function fakeDriver(changes: Partial<EngineDriver> = {}): EngineDriver {
  return {
    kind: 'simulated',
    stopGraceSeconds: 5,
    launch: async (spec, { port }) => ({
      command: process.execPath,
      args: [FAKE_ENGINE, String(port), String(spec.args.mode ?? 'drain')],
      env: {},
    }),
    probe: ({ endpoint, spec }) => probeReady(endpoint, spec.deployment),
    metrics: readVllmMetrics,
    stream: streamCompletion,
    ...changes,
  };
}

export interface TestHosts {
  directory: string;
  /** Another engine host on the same folder, as a restarted host worker makes one. */
  open(drivers: EngineDriver[], memory?: MemoryCheck): EngineHost;
  /** Ends every engine and removes the folder. */
  end(): Promise<void>;
}

export function testHosts(logLevel = 'silent'): TestHosts {
  const directory = mkdtempSync(join(tmpdir(), 'uellm-host-'));
  const opened: EngineHost[] = [];
  return {
    directory,
    open(drivers, memory) {
      const host = createEngineHost({ directory, drivers, logger: pino({ level: logLevel }), ...(memory && { memory }) });
      opened.push(host);
      return host;
    },
    async end() {
      await opened.at(-1)?.stopAll({ graceSeconds: 0 });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Waits until the engine serves. @throws with its words when it exits instead */
export async function untilReady(host: EngineHost, replicaId: string, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const health = await host.health(replicaId);
    if (health.state === 'ready') return;
    if (health.state !== 'loading' || Date.now() > deadline) throw new Error(`${replicaId} is ${health.state}: ${health.detail}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Polls until it holds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
