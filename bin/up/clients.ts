/** The traffic of `uellm up`: chats in the shape of a production trace, or those of `--trace FILE`, as soon as a model is served. */
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_DEMAND, type DeploymentSpec } from '../../core/domain/deployment.ts';
import type { Trace } from '../../core/simulator/traces/trace.ts';
import { chatWorkload } from '../../core/simulator/workload.ts';
import { startTraffic, type Traffic } from '../demo/traffic.ts';

export interface ClientOptions {
  gatewayUrl: string;
  apiKey: string | undefined;
  /** Those whose demand the traffic follows. */
  deployments: readonly DeploymentSpec[];
  trace: Trace | undefined;
  signal: AbortSignal;
}

/** @throws the signal's reason when it is aborted before a model is served */
export async function startClients({ gatewayUrl, apiKey, deployments, trace, signal }: ClientOptions): Promise<Traffic> {
  const shares = deployments.map(({ name, demand = DEFAULT_DEMAND }) => ({ name, share: demand.requestsPerSecond }));
  while (
    !(await allServed(
      gatewayUrl,
      apiKey,
      shares.map((d) => d.name),
    ))
  )
    await delay(500, undefined, { signal });
  return startTraffic({
    gatewayUrl,
    apiKey,
    requests: trace?.requests ?? chatWorkload({ seed: 'demo', requestsPerSecond: shares.reduce((sum, d) => sum + d.share, 0) }),
    loop: trace !== undefined,
    deployments: shares,
    signal,
    graceMs: 2000,
  });
}

async function allServed(gatewayUrl: string, apiKey: string | undefined, names: readonly string[]): Promise<boolean> {
  try {
    const response = await fetch(`${gatewayUrl}/v1/models`, {
      headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {},
      signal: AbortSignal.timeout(5000),
    });
    const { data } = (await response.json()) as { data: { id: string }[] };
    return names.every((name) => data.some((model) => model.id === name));
  } catch {
    return false; // the gateway is being started again
  }
}
