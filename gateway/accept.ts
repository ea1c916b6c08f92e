/** Takes in a completion request: reads it, says who asks and for which SLO, predicts what it will cost, and lets it queue. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { DEFAULT_TENANT } from '../core/domain/slo-policy.ts';
import { type OutputPrediction, predictOutput } from '../core/profiler/predict.ts';
import type { ProfilerSnapshot } from '../core/profiler/snapshot.ts';
import type { Sketcher } from '../core/profiler/text/sketch.ts';
import { deadlinesOf } from '../core/scheduler/deadlines.ts';
import type { Prefix } from '../core/scheduler/types.ts';
import type { Accepted } from './accepted.ts';
import { asksWhy, identify, requestIdOf } from './access/identity.ts';
import type { TenantBudgets } from './access/tenant-budgets.ts';
import { readBody } from './body/body.ts';
import { PREFIX_BLOCK_BYTES, prefixBlocks } from './body/prefix.ts';
import { type Endpoint, forgetPrompt, type ReadRequest, readRequest } from './body/request.ts';
import type { TokenEstimate } from './body/token-estimate.ts';
import { ableDestination } from './engines/registry.ts';
import {
  type ApiError,
  bodiesHeld,
  draining,
  internalError,
  modelNotFound,
  RequestError,
  sendError,
  starting,
  tooLarge,
} from './errors.ts';
import { Exchange, type ExchangeParts } from './exchange.ts';
import { HOP_BY_HOP, namedHeaders } from './hop-by-hop.ts';
import type { Destination, Routes } from './routes/routing.ts';

export interface AcceptParts extends ExchangeParts {
  /** Unique for ever, also over restarts of this gateway. */
  nextId: () => string;
  /** null until the first table has come. */
  routes: () => Routes | null;
  snapshot: () => ProfilerSnapshot;
  /** null while there is no key to hash with. */
  sketcher: () => Sketcher | null;
  estimate: TokenEstimate;
  draining: () => boolean;
  budgets: TenantBudgets;
  maxBodyBytes: number;
  /** Told the code of each error with which a request is refused that has no exchange. */
  onRefused: (code: string) => void;
  logger: Logger;
}

/** Stands for the length of prompts that the profiler may not look at. */
const TYPICAL_INPUT_TOKENS = 512;

/** An embedding is a prompt and nothing after it: the step that ends the prompt ends the request. */
const NO_OUTPUT: OutputPrediction = { p50: 1, p90: 1, mean: 1 };

/** Headers that are ours or of this connection, and no business of an engine's. */
const NOT_FORWARDED = new Set([
  ...HOP_BY_HOP,
  'accept-encoding', // a compressed stream cannot be read on its way through
  'authorization',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'host',
  'x-uellm-explain',
  'x-request-id',
]);

/** @param tenant the tenant of the caller's key; null where the caller may name one */
export function acceptCompletion(
  parts: AcceptParts,
  endpoint: Endpoint,
  req: IncomingMessage,
  res: ServerResponse,
  tenant: string | null,
): void {
  const id = parts.nextId();
  const requestId = requestIdOf(req, id);
  const refuse = (error: ApiError) => {
    parts.onRefused(error.code);
    sendError(res, error, { 'x-request-id': requestId });
  };
  const { heldBytes } = parts;
  readBody(req, parts.maxBodyBytes, heldBytes, (read) => {
    if (read.kind === 'gone') return;
    if (read.kind === 'no-room') {
      refuse(bodiesHeld(heldBytes.limit));
      return;
    }
    if (read.kind === 'too-large') {
      refuse(tooLarge(parts.maxBodyBytes));
      return;
    }
    if (parts.draining()) {
      heldBytes.give(read.body.length);
      refuse(draining());
      return;
    }
    let exchange: Exchange | null = null;
    try {
      const accepted = accept(parts, endpoint, req, read.body, { id, requestId, tenant });
      exchange = new Exchange(parts, accepted, res);
      exchange.start();
    } catch (error) {
      // An exchange gives them back at its end.
      if (!exchange) heldBytes.give(read.body.length);
      if (!(error instanceof RequestError)) parts.logger.error({ err: error }, 'a request could not be taken in');
      refuse(error instanceof RequestError ? error.error : internalError());
    }
  });
}

function accept(
  parts: AcceptParts,
  endpoint: Endpoint,
  req: IncomingMessage,
  body: Buffer,
  { id, requestId, tenant }: { id: string; requestId: string; tenant: string | null },
): Accepted {
  const arrivalMs = performance.now();
  const request = readRequest(endpoint, body);
  const identity = identify(req.headers, tenant);
  const routes = parts.routes();
  if (!routes) throw new RequestError(starting());
  const known = routes.destination(request.model);
  if (!known) throw new RequestError(modelNotFound(request.model, routes.names()));
  const destination = ableDestination(parts.fleet, known, request);
  const [deployment = '', ...others] = destination.deployments;
  const { model } = destination;
  const policy = routes.policyFor({ model, tenant: identity.tenant, class: identity.class });
  const targets = identity.targets ? { ...policy.targets, ...identity.targets } : policy.targets;
  const inputTokens = parts.estimate.inputTokens(model, request.prompt);
  const snapshot = parts.snapshot();
  const { maxTokens, streamed } = request;
  const learnFrom = endpoint === 'embedding' ? 'off' : routes.featuresOf(identity.tenant);
  const asked = learnFrom === 'full' ? request.promptParts() : null;
  const text = asked === null ? null : (parts.sketcher()?.sketch(asked) ?? null);
  const prediction =
    endpoint === 'embedding'
      ? NO_OUTPUT
      : predictOutput(snapshot, {
          model,
          class: identity.class,
          tenant: learnFrom === 'off' ? DEFAULT_TENANT : identity.tenant,
          inputTokens: learnFrom === 'off' ? TYPICAL_INPUT_TOKENS : inputTokens,
          maxTokens,
          streamed,
          text,
        });
  const decodeMs = parts.fleet.decodeMsPerToken(deployment);
  const prefix = prefixOf(parts, destination, request);
  forgetPrompt(request);
  const acceptedAtMs = Date.now();
  return {
    id,
    requestId,
    request,
    path: req.url ?? '/',
    headers: forwardedHeaders(req, requestId),
    model,
    deployment,
    alternatives: others.length > 0 ? destination.deployments : [],
    tenant: identity.tenant,
    class: identity.class,
    tenantWeight: policy.weight ?? routes.weightOf(identity.tenant),
    policy,
    targets,
    arrivalMs,
    acceptedAtMs,
    deadlines: deadlinesOf(targets, arrivalMs, prediction.p50, policy.queue.maxWaitMs, decodeMs),
    inputTokens,
    prediction,
    snapshotVersion: snapshot.version,
    learnFrom,
    text,
    prefix,
    explain: parts.explainHeaders && asksWhy(req.headers),
    // Last: what is set aside is given back by an exchange only.
    hold: parts.budgets.admit(identity.tenant, inputTokens, prediction.p90 * request.choices, acceptedAtMs),
  };
}

/** Only where there is a choice that it could decide. */
function prefixOf({ fleet, estimate }: AcceptParts, { model, deployments }: Destination, { pieces, prompt }: ReadRequest): Prefix | null {
  if (!deployments.some((deployment) => fleet.eligible(deployment).length > 1)) return null;
  const blocks = prefixBlocks(pieces());
  if (blocks.length === 0) return null;
  const characters = (PREFIX_BLOCK_BYTES * prompt.characters) / Math.max(1, prompt.bytes);
  return { blocks, blockTokens: estimate.inputTokens(model, { characters, tokens: 0 }) };
}

function forwardedHeaders(req: IncomingMessage, requestId: string): Record<string, string> {
  // It was read as JSON, whatever its client called it: engines go by the name.
  const forwarded: Record<string, string> = { 'x-request-id': requestId, 'content-type': 'application/json' };
  const ofConnection = namedHeaders(req.headers.connection);
  for (const name in req.headers) {
    if (NOT_FORWARDED.has(name) || ofConnection?.includes(name)) continue;
    const value = req.headers[name];
    if (value !== undefined) forwarded[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return forwarded;
}
