/** A gateway for tests, routed by hand. */
import { pino } from 'pino';
import type { RoutedReplica } from '../../core/domain/routing.ts';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import type { Tenant } from '../../core/domain/tenant.ts';
import type { GatewayOptions } from '../../gateway/options.ts';
import type { RoutingSource, RoutingView } from '../../gateway/routes/routing.ts';
import { type Gateway, startGateway } from '../../gateway/server.ts';

export function routedReplica(parts: Partial<RoutedReplica> & { replicaId: string; endpoint: string }): RoutedReplica {
  return {
    generation: 1,
    deployment: 'chat',
    revision: 1,
    model: 'llama-3.1-8b',
    host: 'h1',
    engine: 'vllm',
    weight: 100,
    maxInFlight: 256,
    stepTime: { d0: 6.374, d1: 0.01139, d2: 4.138e-5, ra: 0.01482, rc: 0.005991, rb: 3.913e-7, o: 1 },
    kvCacheTokens: 400_000,
    simulated: false,
    ...parts,
  };
}

export function sloPolicy(parts: Partial<Omit<SloPolicy, 'queue'>> & { queue?: Partial<SloPolicy['queue']> } = {}): SloPolicy {
  return {
    name: 'p',
    match: { model: '*', tenant: '*', class: '*' },
    targets: { e2eMs: 60_000, attainment: 0.99 },
    priority: 0,
    ...parts,
    queue: { maxWaitMs: 30_000, onHopeless: 'demote', ...parts.queue },
  };
}

export interface RoutedGateway extends Gateway {
  /** Puts a table in force, with the next version. */
  route(replicas: RoutedReplica[], policies?: SloPolicy[], deployments?: RoutingView['deployments'], tenants?: Tenant[]): void;
}

export async function startRoutedGateway(options: Partial<Omit<GatewayOptions, 'source'>> = {}): Promise<RoutedGateway> {
  let apply: ((view: RoutingView) => void) | null = null;
  let version = 0;
  const routing: RoutingSource = {
    start: (applied) => {
      apply = applied;
    },
    close: async () => undefined,
  };
  const gateway = await startGateway({
    source: { kind: 'alone', routing },
    address: '127.0.0.1',
    port: 0,
    logger: pino({ level: 'fatal' }),
    closeGraceMs: 500,
    lingerMs: 0,
    ...options,
  });
  return {
    ...gateway,
    route(replicas, policies = [], deployments = [], tenants = []) {
      version += 1;
      apply?.({ table: { version, replicas, policies, tenants }, deployments });
    },
  };
}

/** Posts a completion; the answer is read by the test. */
export function complete(
  gateway: { url: string },
  body: object,
  init: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(`${gateway.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...init.headers },
    body: JSON.stringify({ model: 'chat', prompt: 'hello', ...body }),
    ...(init.signal ? { signal: init.signal } : {}),
  });
}

export interface ErrorBody {
  error: { message: string; type: string; code: string; param: string | null };
}

/** Polls until it holds. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs = 5000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`did not hold within ${withinMs} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
