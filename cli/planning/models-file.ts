/** Models files: what is to be served, `{ models: [{ name, config?, dtype?, demand, slo?, replicas?, placement? }] }`. */
import { z } from 'zod';
import { declaredDemandSchema, deploymentSpecSchema } from '../../core/domain/deployment.ts';
import { UellmError } from '../../core/domain/errors.ts';
import { dtypeSchema, type ModelShape, modelConfigSchema, shapeOf } from '../../core/domain/model-spec.ts';
import { nameSchema } from '../../core/domain/names.ts';
import { sloTargetsSchema } from '../../core/domain/slo-policy.ts';
import { parseInput } from '../../core/domain/validate.ts';
import type { DeploymentDemand } from '../../core/placement/types.ts';
import { readYaml } from '../documents.ts';

/** Attainment where a model names none: the share of requests that capacity figures usually promise. */
const DEFAULT_ATTAINMENT = 0.9;

const withAttainment = (slo: unknown) => (typeof slo === 'object' && slo !== null ? { attainment: DEFAULT_ATTAINMENT, ...slo } : slo);

const plannedModelSchema = z.strictObject({
  name: nameSchema,
  source: z.string().optional(),
  /** Hugging Face config.json fields; not needed for the models that are known without. */
  config: modelConfigSchema.optional(),
  dtype: dtypeSchema.default('bf16'),
  demand: declaredDemandSchema,
  /** Absent: queues are to stay short, no latency is promised. */
  slo: z.preprocess(withAttainment, sloTargetsSchema).optional(),
  replicas: z
    .strictObject({ min: z.number().int().min(0).max(100_000).default(0), max: z.number().int().min(1).max(100_000).default(100_000) })
    .refine((r) => r.max >= r.min, { path: ['max'], message: 'a number of at least replicas.min' })
    .default({ min: 0, max: 100_000 }),
  placement: deploymentSpecSchema.shape.placement,
});

const modelsFileSchema = z.strictObject({
  models: z
    .array(plannedModelSchema)
    .min(1)
    .max(1000)
    .refine((models) => new Set(models.map((m) => m.name)).size === models.length, 'models of different names')
    .superRefine((models, ctx) => {
      const names = new Set(models.map((m) => m.name));
      for (const [i, { placement }] of models.entries()) {
        for (const [k, other] of (placement.antiAffinity ?? []).entries()) {
          if (names.has(other)) continue;
          const path = [i, 'placement', 'antiAffinity', k];
          ctx.addIssue({ code: 'custom', path, message: `a model of this file: ${[...names].join(', ')}` });
        }
      }
    }),
});

export interface PlannedModels {
  models: Record<string, ModelShape>;
  deployments: DeploymentDemand[];
  notes: string[];
}

/** @param file its name, for errors @throws invalid-input that names every field that is wrong */
export function parseModels(text: string, file: string): PlannedModels {
  const documents = readYaml(text, file);
  const { models } = parseInput(modelsFileSchema, documents.length > 1 ? documents : documents[0], file);
  const shapes = models.map((m, i) => shapeIn(m, `models[${i}]`, file));
  return {
    models: Object.fromEntries(shapes.map((shape) => [shape.name, shape])),
    notes: shapes.flatMap(({ name, quantisationNote }) => (quantisationNote ? `${name}: ${quantisationNote}` : [])),
    deployments: models.map(({ name, demand, slo, replicas, placement }) => ({
      spec: {
        name,
        model: name,
        engine: { kind: 'vllm', args: {} },
        replicas,
        placement,
        demand,
        rollout: { strategy: 'canary', steps: [], approval: 'auto' },
        mode: 'auto',
      },
      revision: 1,
      demand,
      targets: slo ?? null,
    })),
  };
}

function shapeIn(model: z.infer<typeof plannedModelSchema>, at: string, file: string): ModelShape {
  try {
    return shapeOf({ source: '', ...model });
  } catch (error) {
    if (!(error instanceof UellmError) || error.detail.kind !== 'invalid-input') throw error;
    const issues = error.detail.issues.map((issue) => ({ ...issue, field: issue.field ? `${at}.${issue.field}` : at }));
    throw new UellmError({ kind: 'invalid-input', what: file, issues });
  }
}
