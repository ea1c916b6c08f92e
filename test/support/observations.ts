/** Observations for tests: one like the others, with what the test is about. */
import type { Observation } from '../../core/domain/observation.ts';

export function anObservation(requestId: string, fields: Partial<Observation> = {}): Observation {
  return {
    requestId,
    acceptedAtMs: 1_700_000_000_000,
    gatewayId: 'g1',
    model: 'llama-3.1-8b',
    deployment: 'chat',
    revision: 1,
    replicaId: 'chat-1',
    tenant: 'default',
    class: 'standard',
    policy: 'fallback',
    outcome: 'ok',
    streamed: true,
    inputTokens: 500,
    outputTokens: 100,
    maxTokens: null,
    predictedOutputP50: null,
    predictedOutputP90: null,
    predictedTtftMs: null,
    snapshotVersion: null,
    queueMs: null,
    ttftMs: null,
    tpotMs: null,
    e2eMs: null,
    attained: null,
    ...fields,
  };
}
