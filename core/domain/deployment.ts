/** A deployment: what someone wants served. It carries no SLO of its own; policies do. */
import { z } from 'zod';
import { acceleratorKindSchema } from './accelerators.ts';
import { nameSchema } from './names.ts';

export const engineKindSchema = z.enum(['vllm', 'triton', 'simulated']);
export type EngineKind = z.infer<typeof engineKindSchema>;

export const engineArgsSchema = z.record(
  z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'flag names without dashes in front'),
  z.union([z.string(), z.number(), z.boolean()]),
);

export const demandSchema = z.strictObject({
  requestsPerSecond: z.number().nonnegative().max(1e6),
  inputTokens: z.number().positive().max(1e7),
  outputTokens: z.number().positive().max(1e7),
});
/** Requests a second and the mean lengths: a first guess, or what was observed or forecast. */
export type Demand = z.infer<typeof demandSchema>;

/** As someone declares it: no prompt and no answer is shorter than a token. */
export const declaredDemandSchema = demandSchema.extend({
  inputTokens: z.number().min(1).max(1e7),
  outputTokens: z.number().min(1).max(1e7),
});

/**
 * `canary`: the new revision stands beside the old one and takes a rising share. `blue-green`: beside it, and takes all at once; the old one
 * leaves when that has proven good. `recreate`: the old one leaves first, for fleets without room for both. `reload`: its engines load the new
 * one beside it, on their own accelerators, and go over to it.
 */
export const rolloutStrategySchema = z.enum(['canary', 'blue-green', 'recreate', 'reload']);
export type RolloutStrategy = z.infer<typeof rolloutStrategySchema>;

/** Can an engine load another revision beside the one that it serves? */
export const isReloadable = (kind: EngineKind): boolean => kind === 'triton';

/**
 * How much is left to uellm. `shadow`: it observes and predicts; requests go in the order of their arrival, and nothing is moved. `advise`: it
 * schedules, and what would change the placement waits for an operator. `auto`: all of it.
 */
export const deploymentModeSchema = z.enum(['shadow', 'advise', 'auto']);
export type DeploymentMode = z.infer<typeof deploymentModeSchema>;

const canaryStepSchema = z.strictObject({
  /** Share of the traffic that the new revision takes, per cent. */
  weight: z.number().int().min(1).max(99),
  pauseSeconds: z.number().nonnegative().max(86_400).default(60),
});

const stageSeconds = z
  .number()
  .positive()
  .max(7 * 86_400)
  .optional();

/** How long a stage may take, in seconds; absent ones have a default. Time on hold does not count. Only what comes before the new revision is promoted can be gone back on. */
export const stageDeadlinesSchema = z.strictObject({
  resolve: stageSeconds,
  profile: stageSeconds,
  plan: stageSeconds,
  reserve: stageSeconds,
  fetch: stageSeconds,
  start: stageSeconds,
  calibrate: stageSeconds,
  canary: stageSeconds,
  approve: stageSeconds,
  promote: stageSeconds,
  retire: stageSeconds,
});
export type StageDeadlines = z.infer<typeof stageDeadlinesSchema>;

export const deploymentSpecSchema = z
  .strictObject({
    name: nameSchema,
    model: nameSchema,
    engine: z.strictObject({
      kind: engineKindSchema,
      /** Flags of the engine, e.g. `{ max-model-len: 8192 }`. */
      args: engineArgsSchema.default({}),
    }),
    replicas: z
      .strictObject({ min: z.number().int().min(0).max(1000).default(1), max: z.number().int().min(1).max(1000).default(8) })
      .refine((r) => r.max >= r.min, { path: ['max'], message: 'a number of at least replicas.min' })
      .default({ min: 1, max: 8 }),
    placement: z
      .strictObject({
        /** Empty lists allow all. */
        hosts: z.array(nameSchema).default([]),
        accelerators: z.array(acceleratorKindSchema).default([]),
        /** `host`: replicas stand on as many hosts as the cheapest placement allows. */
        spread: z.enum(['host', 'none']).default('host'),
        /** Deployments whose hosts it does not share; its own name keeps its replicas on a host each. */
        antiAffinity: z.array(nameSchema).max(1000).optional(),
      })
      .default({ hosts: [], accelerators: [], spread: 'host' }),
    demand: declaredDemandSchema.optional(),
    rollout: z
      .strictObject({
        strategy: rolloutStrategySchema.default('canary'),
        steps: z.array(canaryStepSchema).max(20).default([]),
        approval: z.enum(['auto', 'manual']).default('auto'),
        /** `blue-green`: how long the old revision is kept while the new one takes all traffic. `reload`: how long the first engine is watched. */
        soakSeconds: z.number().nonnegative().max(86_400).optional(),
        stageDeadlineSeconds: stageDeadlinesSchema.optional(),
      })
      .default({ strategy: 'canary', steps: [], approval: 'auto' }),
    /** In force as soon as it is declared: no part of what a rollout rolls out. Absent, it stays what it is; a new one begins as `auto`. */
    mode: deploymentModeSchema.optional(),
  })
  .refine((d) => d.rollout.steps.every((s, i, all) => i === 0 || s.weight > (all[i - 1]?.weight ?? 0)), {
    path: ['rollout', 'steps'],
    message: 'steps whose weights rise',
  })
  .refine((d) => d.rollout.strategy === 'canary' || d.rollout.steps.length === 0, {
    path: ['rollout', 'steps'],
    message: 'no steps: only strategy canary has them',
  })
  .refine((d) => d.rollout.strategy === 'blue-green' || d.rollout.strategy === 'reload' || d.rollout.soakSeconds === undefined, {
    path: ['rollout', 'soakSeconds'],
    message: 'nothing: only strategies blue-green and reload watch the new revision for a while',
  })
  .refine((d) => d.rollout.strategy !== 'reload' || isReloadable(d.engine.kind), {
    path: ['rollout', 'strategy'],
    message: 'canary, blue-green or recreate: only engines of kind triton load a revision beside another',
  });
export type DeploymentSpec = z.infer<typeof deploymentSpecSchema>;

/** What a rollout brings, of a spec. */
export function rolledOutPart({ mode: _, ...rolledOut }: DeploymentSpec): Omit<DeploymentSpec, 'mode'> {
  return rolledOut;
}

/** The first guess where nobody gave one and nothing was observed. Source: mean of the Azure 2023 conversation trace (CC-BY-4.0). */
export const DEFAULT_DEMAND: Demand = { requestsPerSecond: 1, inputTokens: 1155, outputTokens: 211 };
