/** Who serves: four fleets of vLLM-like engines, with step times fitted to measurements (`core/domain/step-time.ts`). */
import { acceleratorKind } from '../../core/domain/accelerators.ts';
import { kvCacheTokens } from '../../core/domain/memory.ts';
import { KNOWN_CONFIGS, modelShape } from '../../core/domain/model-spec.ts';
import { priorStepTime } from '../../core/domain/step-time.ts';
import { TRACE_PREFIX_BLOCK_TOKENS } from '../../core/simulator/requests.ts';
import type { ReplicaSpec } from '../../core/simulator/simulated-replica.ts';

export const FLEETS = ['h4', 'mixed', '70b', 'kv'] as const;
export type FleetName = (typeof FLEETS)[number];

/** Of so many accelerators of a kind each, so many engines. */
type Group = readonly [kind: string, tensorParallel: number, engines: number];

interface Fleet {
  told: string;
  model: 'llama-3.1-8b' | 'llama-3.1-70b';
  groups: readonly Group[];
}

export const FLEET: Record<FleetName, Fleet> = {
  h4: { told: '4 H100, 8B', model: 'llama-3.1-8b', groups: [['H100-SXM', 1, 4]] },
  mixed: {
    told: '2 H100 + 2 A100-80 + 4 L40S, 8B',
    model: 'llama-3.1-8b',
    groups: [
      ['H100-SXM', 1, 2],
      ['A100-80G-SXM', 1, 2],
      ['L40S', 1, 4],
    ],
  },
  '70b': { told: '4 x TP4 H100, 70B', model: 'llama-3.1-70b', groups: [['H100-SXM', 4, 4]] },
  // 16 and 8 GB are left for the KV cache: long contexts fill it before anything else is short.
  kv: {
    told: '4 L40S + 4 A100-40, 8B: KV-bound',
    model: 'llama-3.1-8b',
    groups: [
      ['L40S', 1, 4],
      ['A100-40G-SXM', 1, 4],
    ],
  },
};

export function fleetReplicas({ model, groups }: Pick<Fleet, 'model' | 'groups'>): ReplicaSpec[] {
  const shape = modelShape(model, KNOWN_CONFIGS[model]!, 'bf16');
  return groups.flatMap(([name, tensorParallel, engines]) => {
    const kind = acceleratorKind(name);
    return Array.from({ length: engines }, (_, i) => ({
      id: `${name}-${i}`,
      stepTime: priorStepTime(shape, kind, tensorParallel).coefficients,
      kvCacheTokens: kvCacheTokens(shape, kind, tensorParallel),
      maxContextTokens: shape.maxContextTokens,
      maxSequences: 256,
      maxBatchedTokens: 2048,
      scheduling: 'fcfs' as const,
      prefixBlockTokens: TRACE_PREFIX_BLOCK_TOKENS,
      usdPerHour: kind.usdPerHour === null ? null : kind.usdPerHour * tensorParallel,
    }));
  });
}
