/** Requests that are longer than what a model takes: no accelerator helps there. */
import type { ModelShape } from '../domain/model-spec.ts';
import type { Refusal } from '../domain/refusal.ts';
import type { DeploymentDemand } from './types.ts';

/** Tokens of a request and its answer together: the model's, or what the engine is told to promise. */
export function contextTokens({ spec }: DeploymentDemand, model: ModelShape): number {
  const promised = Number(spec.engine.args['max-model-len']);
  return promised > 0 ? Math.min(promised, model.maxContextTokens) : model.maxContextTokens;
}

/**
 * Is a mean request longer? Only where lengths are declared: observed ones fitted, and a default is nobody's word. Longer ones than the mean
 * may still be too long; how many, no mean tells.
 */
export function isBeyondContext(deployment: DeploymentDemand, model: ModelShape): boolean {
  const { spec, demand } = deployment;
  return spec.demand !== undefined && demand.inputTokens + demand.outputTokens > contextTokens(deployment, model);
}

/** Without the nearest that would do: that depends on the fleet. */
export function contextRefusal(deployment: DeploymentDemand, model: ModelShape): Refusal {
  const { spec, demand } = deployment;
  const lengths = `${demand.inputTokens} input and ${demand.outputTokens} output tokens`;
  const message = `a mean request of ${lengths} is longer than the context of ${contextTokens(deployment, model)} tokens`;
  return { kind: 'refused', on: 'context', subject: spec.name, message };
}
