/**
 * Does the discrete-event simulator say what happens? The same requests through it and, in real time, through a gateway to simulated
 * engines. `npm run bench:validation` does it for longer, for more policies, and with a process for each.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { figuresOf } from '../../bench/validation/outcome.ts';
import { replay } from '../../bench/validation/replay.ts';
import {
  DEPLOYMENT,
  ENGINES,
  engineSpecOf,
  KV_CACHE_TOKENS,
  MODEL,
  QUEUE,
  requestsOf,
  STEP_TIME,
  TARGETS,
} from '../../bench/validation/scenario.ts';
import { simulateScenario } from '../../bench/validation/simulate.ts';
import { type SimulatedEngine, startSimulatedEngine } from '../../engines/simulated/server.ts';
import { parseSettings } from '../../engines/simulated/settings.ts';
import { type RoutedGateway, routedReplica, sloPolicy, startRoutedGateway } from '../../test/support/gateway.ts';

/** Beyond what another noise of the steps changes. */
const TOLERANCE = 0.02;
const NOISES = [1, 2, 3, 4, 5, 6, 7, 8];

const started: { close(): Promise<unknown> }[] = [];
afterAll(async () => {
  for (const one of started.splice(0).reverse()) await one.close();
});

async function start(policy: string): Promise<RoutedGateway> {
  const engines: SimulatedEngine[] = [];
  for (const id of ENGINES) engines.push(await startSimulatedEngine(parseSettings(engineSpecOf(id)), { address: '127.0.0.1', port: 0 }));
  const gateway = await startRoutedGateway({ policy });
  started.push(...engines, gateway);
  const replicas = engines.map(({ url }, i) =>
    routedReplica({
      replicaId: ENGINES[i]!,
      endpoint: url,
      deployment: DEPLOYMENT,
      model: MODEL,
      engine: 'simulated',
      simulated: true,
      stepTime: STEP_TIME,
      kvCacheTokens: KV_CACHE_TOKENS,
    }),
  );
  gateway.route(replicas, [sloPolicy({ targets: TARGETS, queue: QUEUE })]);
  return gateway;
}

describe('real time', () => {
  // Engines, gateways and clients share one thread, and perhaps a busy machine: it may be tried again.
  it.concurrent.each(['uellm', 'least-in-flight'])(
    'attains with %s what the simulator says',
    { timeout: 60_000, retry: 2 },
    async (policy) => {
      const requests = requestsOf({ requestsPerSecond: 7, seconds: 10, seed: 'short' });
      const simulated = NOISES.map((seed) => simulateScenario(requests, policy, seed).attainment);
      const gateway = await start(policy);
      const { outcomes } = await replay(gateway.url, requests);
      expect(outcomes.filter((outcome) => outcome === null)).toEqual([]);
      const { attainment } = figuresOf(outcomes);
      expect(attainment).toBeGreaterThanOrEqual(Math.min(...simulated) - TOLERANCE);
      expect(attainment).toBeLessThanOrEqual(Math.max(...simulated) + TOLERANCE);
    },
  );
});
