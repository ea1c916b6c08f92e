/** A simulated engine for tests of the gateway: quick, and ready at once. */
import type { RoutedReplica } from '../../core/domain/routing.ts';
import { type SimulatedEngine, startSimulatedEngine } from '../../engines/simulated/server.ts';
import { parseSettings } from '../../engines/simulated/settings.ts';
import { engineSpec } from '../engines/support.ts';
import { routedReplica } from './gateway.ts';

/** @param args of the engine, over those that make it quick. @returns the engine, and its row of a routing table */
export async function startRoutedEngine(
  replicaId: string,
  args: Record<string, string | number> = {},
): Promise<SimulatedEngine & { row: RoutedReplica }> {
  const spec = engineSpec({
    replicaId,
    deployment: 'chat',
    args: { 'simulated-load-seconds': 0, 'scheduling-policy': 'priority', 'shutdown-timeout': 1, ...args },
  });
  const engine = await startSimulatedEngine(parseSettings(spec), { address: '127.0.0.1', port: 0 });
  const { stepTime, kvCacheTokens } = spec;
  return {
    ...engine,
    row: routedReplica({ replicaId, endpoint: engine.url, engine: 'simulated', simulated: true, stepTime, kvCacheTokens }),
  };
}

/** Requests that it works on, by its own metrics. */
export async function runningOn(engine: { url: string }): Promise<number> {
  const text = await (await fetch(`${engine.url}/metrics`)).text();
  return Number(/^vllm:num_requests_running\{.*\} (\S+)/m.exec(text)?.[1]);
}
