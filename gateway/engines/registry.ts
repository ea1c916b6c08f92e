/** The dialect of each kind of engine. */
import type { EngineKind } from '../../core/domain/deployment.ts';
import type { CompletionRequest } from '../body/request.ts';
import { type ApiError, RequestError } from '../errors.ts';
import type { Fleet } from '../fleet.ts';
import type { Destination } from '../routes/routing.ts';
import type { EngineDialect } from './dialect.ts';
import { openai } from './openai.ts';
import { triton } from './triton.ts';

export const DIALECTS: Readonly<Record<EngineKind, EngineDialect>> = { vllm: openai, simulated: openai, triton };

/**
 * The destination without those deployments of which no replica can do what is asked: where all are of a kind that cannot.
 * @throws RequestError where none is left
 */
export function ableDestination(fleet: Fleet, destination: Destination, request: CompletionRequest): Destination {
  let refusal: ApiError | null = null;
  const deployments = destination.deployments.filter((deployment) => {
    const kind = fleet.soleEngine(deployment);
    const refused = kind && DIALECTS[kind].refusal(request);
    refusal ??= refused;
    return !refused;
  });
  if (deployments.length === 0 && refusal) throw new RequestError(refusal);
  return { model: destination.model, deployments };
}
