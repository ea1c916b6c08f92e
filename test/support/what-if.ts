/** A present and observed requests for tests of what-ifs: two replicas of one deployment, each filling its host. */

import { deploymentSpecSchema } from '../../core/domain/deployment.ts';
import type { HostState } from '../../core/domain/fleet.ts';
import { shapeOf } from '../../core/domain/model-spec.ts';
import type { Replica } from '../../core/domain/replica.ts';
import type { RoutedReplica } from '../../core/domain/routing.ts';
import type { SloPolicy } from '../../core/domain/slo-policy.ts';
import type { RecordedRequest, Stretch } from '../../core/simulator/replay.ts';
import type { PresentFleet } from '../../core/simulator/what-if-fleet.ts';
import { STEP_TIME } from './simulating.ts';

const MODEL = 'llama-3.1-8b';

const CHAT: SloPolicy = {
  name: 'chat',
  match: { model: '*', tenant: '*', class: '*' },
  targets: { ttftMs: 500, tpotMs: 50, attainment: 0.99 },
  priority: 0,
  queue: { maxWaitMs: 30_000, onHopeless: 'demote' },
  value: { usdPerRequest: 0.01, usdPerViolation: 0.02 },
};

export function presentFleet(hosts = ['h1', 'h2']): PresentFleet {
  return {
    fleet: {
      hosts: hosts.map(aHost),
      prices: { byKind: { 'H100-SXM': 2.95 }, byHost: {} },
      models: { [MODEL]: shapeOf({ name: MODEL, source: '', dtype: 'bf16' }) },
      deployments: [
        {
          spec: deploymentSpecSchema.parse({ name: 'chat', model: MODEL, engine: { kind: 'vllm' }, replicas: { min: 1, max: 4 } }),
          revision: 1,
          demand: { requestsPerSecond: 16, inputTokens: 1000, outputTokens: 150 },
          targets: CHAT.targets,
        },
      ],
      replicas: hosts.map(aReplicaOn),
      stepTimes: [],
    },
    routed: hosts.map(routedOn),
    policies: [CHAT],
    tenantWeights: {},
    gatewayPolicies: ['uellm'],
    modes: {},
  };
}

function aHost(name: string): HostState {
  const isThere = { simulated: false, external: false, liveness: 'alive', service: 'schedulable' } as const;
  return { name, accelerators: ['H100-SXM'], links: [], ...isThere };
}

const common = {
  deployment: 'chat',
  revision: 1,
  model: MODEL,
  engine: 'vllm',
  endpoint: 'http://127.0.0.1:1',
  generation: 1,
  simulated: false,
} as const;

function aReplicaOn(host: string): Replica {
  return {
    ...common,
    id: `on-${host}`,
    host,
    accelerators: [0],
    acceleratorKind: 'H100-SXM',
    tensorParallel: 1,
    state: 'ready',
    weight: 100,
    reason: '',
  };
}

function routedOn(host: string): RoutedReplica {
  return { ...common, replicaId: `on-${host}`, host, weight: 100, maxInFlight: 256, stepTime: STEP_TIME, kvCacheTokens: 400_000 };
}

export function aRecordedRequest(parts: Partial<RecordedRequest> = {}): RecordedRequest {
  return {
    ...{ acceptedAtMs: 0, model: MODEL, deployment: 'chat', tenant: 'default', class: 'standard', policy: 'chat', outcome: 'ok' },
    ...{ inputTokens: 1000, outputTokens: 150, predictedOutputP50: 140, predictedOutputP90: 300 },
    ...{ queueMs: 1, ttftMs: 80, tpotMs: 10, e2eMs: 1600, attained: true },
    ...parts,
  };
}

/** Requests at even distances, every other one of tenant acme. */
export function steadyStretch({ requests, perSecond, fromMs = 0 }: { requests: number; perSecond: number; fromMs?: number }): Stretch {
  const at = (i: number) => fromMs + (i * 1000) / perSecond;
  return {
    fromMs,
    untilMs: at(requests),
    requests: Array.from({ length: requests }, (_, i) =>
      aRecordedRequest({ acceptedAtMs: at(i), tenant: i % 2 === 0 ? 'acme' : 'default' }),
    ),
  };
}
