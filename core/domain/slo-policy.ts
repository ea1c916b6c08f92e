/** The SLO policy: the one object that admission, scheduling, scaling and placement all plan for. */
import { z } from 'zod';
import { ANY, nameOrAnySchema, nameSchema } from './names.ts';

const latencyMs = z.number().positive().max(86_400_000);

export const sloTargetsSchema = z
  .strictObject({
    /** Time to first token. */
    ttftMs: latencyMs.optional(),
    /** Mean time per output token after the first. */
    tpotMs: latencyMs.optional(),
    /** From acceptance to the last token. */
    e2eMs: latencyMs.optional(),
    /** Share of requests that must meet every target. */
    attainment: z.number().gt(0).max(1).default(0.99),
  })
  .refine((t) => t.ttftMs !== undefined || t.tpotMs !== undefined || t.e2eMs !== undefined, {
    message: 'at least one of ttftMs, tpotMs, e2eMs',
  });
export type SloTargets = z.infer<typeof sloTargetsSchema>;

export const sloPolicySchema = z.strictObject({
  name: nameSchema,
  match: z
    .strictObject({
      model: nameOrAnySchema.default(ANY),
      tenant: nameOrAnySchema.default(ANY),
      class: nameOrAnySchema.default(ANY),
    })
    .default({ model: ANY, tenant: ANY, class: ANY }),
  targets: sloTargetsSchema,
  /** Higher is more urgent; below 0 may be shed. */
  priority: z.number().int().min(-1000).max(1000).default(0),
  /** Share of a tenant under this policy, relative to others of the same class, while requests wait; the tenant's own where absent. */
  weight: z.number().positive().max(1000).optional(),
  queue: z
    .strictObject({
      maxWaitMs: latencyMs.default(30_000),
      onHopeless: z.enum(['demote', 'shed']).default('demote'),
    })
    .default({ maxWaitMs: 30_000, onHopeless: 'demote' }),
  value: z
    .strictObject({
      usdPerRequest: z.number().nonnegative().default(0),
      usdPerViolation: z.number().nonnegative().default(0),
    })
    .optional(),
});
export type SloPolicy = z.infer<typeof sloPolicySchema>;

export interface RequestIdentity {
  model: string;
  tenant: string;
  class: string;
}

/** The class of a request that names none. */
export const DEFAULT_CLASS = 'standard';
export const DEFAULT_TENANT = 'default';
/** The weight of a tenant where neither a policy nor it sets one. */
export const DEFAULT_WEIGHT = 1;

/** The policy for a request that no policy matches: no latency target is promised, and nothing is shed. */
export const FALLBACK_POLICY: SloPolicy = {
  name: 'fallback',
  match: { model: ANY, tenant: ANY, class: ANY },
  targets: { e2eMs: 600_000, attainment: 0.9 },
  priority: 0,
  queue: { maxWaitMs: 60_000, onHopeless: 'demote' },
};

/** The most specific policy that matches: tenant counts before class, class before model; then higher priority, then name. */
export function matchPolicy(policies: readonly SloPolicy[], request: RequestIdentity): SloPolicy {
  let best = FALLBACK_POLICY;
  let bestScore = -1;
  for (const policy of policies) {
    const score = specificity(policy, request);
    if (score < 0 || score < bestScore) continue;
    if (score === bestScore && !precedes(policy, best)) continue;
    best = policy;
    bestScore = score;
  }
  return best;
}

function specificity({ match }: SloPolicy, request: RequestIdentity): number {
  let score = 0;
  if (match.tenant === request.tenant) score += 4;
  else if (match.tenant !== ANY) return -1;
  if (match.class === request.class) score += 2;
  else if (match.class !== ANY) return -1;
  if (match.model === request.model) score += 1;
  else if (match.model !== ANY) return -1;
  return score;
}

function precedes(a: SloPolicy, b: SloPolicy): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.name < b.name;
}

export interface MeasuredLatency {
  ttftMs: number;
  /** Absent for a single output token. */
  tpotMs?: number;
  e2eMs: number;
}

/** Which targets were missed; empty means that the request attained its SLO. */
export function violatedTargets(targets: SloTargets, measured: MeasuredLatency): ('ttft' | 'tpot' | 'e2e')[] {
  const violated: ('ttft' | 'tpot' | 'e2e')[] = [];
  if (targets.ttftMs !== undefined && measured.ttftMs > targets.ttftMs) violated.push('ttft');
  if (targets.tpotMs !== undefined && measured.tpotMs !== undefined && measured.tpotMs > targets.tpotMs) violated.push('tpot');
  if (targets.e2eMs !== undefined && measured.e2eMs > targets.e2eMs) violated.push('e2e');
  return violated;
}
