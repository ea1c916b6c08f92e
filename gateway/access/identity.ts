/** Who asks, and for which SLO: from the headers of a request. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { nameSchema } from '../../core/domain/names.ts';
import { DEFAULT_CLASS, DEFAULT_TENANT, type SloTargets } from '../../core/domain/slo-policy.ts';
import { invalidField, RequestError } from '../errors.ts';

type OwnTargets = Partial<Pick<SloTargets, 'ttftMs' | 'tpotMs' | 'e2eMs'>>;

export interface Identity {
  tenant: string;
  class: string;
  /** Targets that this request sets for itself, over those of its policy; null where it sets none. */
  targets: OwnTargets | null;
}

/** Canonical name first, then the older one. Source: llm-d, "EPP HTTP Headers Reference"; ours begin with `x-slo-` and `x-tenant-`. */
const CLASS_HEADERS = ['x-slo-class', 'x-llm-d-inference-objective', 'x-gateway-inference-objective'];
const TENANT_HEADERS = ['x-tenant-id', 'x-llm-d-inference-fairness-id', 'x-gateway-inference-fairness-id'];
const TARGET_HEADERS = [
  ['ttftMs', 'x-llm-d-slo-ttft-ms'],
  ['ttftMs', 'x-slo-ttft-ms'],
  ['tpotMs', 'x-llm-d-slo-tpot-ms'],
  ['tpotMs', 'x-slo-tpot-ms'],
  ['e2eMs', 'x-slo-e2e-ms'],
] as const;

const MAX_TARGET_MS = 86_400_000;

/**
 * @param tenant the tenant that the caller's key belongs to; null where the caller may say for whom it asks
 * @throws RequestError 400 that names the header
 */
export function identify(headers: IncomingHttpHeaders, tenant: string | null): Identity {
  let targets: OwnTargets | null = null;
  for (const [target, name] of TARGET_HEADERS) {
    if (headers[name] === undefined || targets?.[target] !== undefined) continue;
    targets ??= {};
    targets[target] = targetMs(name, String(headers[name]));
  }
  return {
    tenant: tenant ?? nameOf(headers, TENANT_HEADERS) ?? DEFAULT_TENANT,
    class: nameOf(headers, CLASS_HEADERS) ?? DEFAULT_CLASS,
    targets,
  };
}

function nameOf(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  const name = names.find((n) => headers[n] !== undefined);
  if (!name) return undefined;
  const given = headers[name];
  const parsed = nameSchema.safeParse(given);
  if (!parsed.success) throw new RequestError(invalidField(name, given, parsed.error.issues[0]?.message ?? 'a name'));
  return parsed.data;
}

function targetMs(name: string, given: string): number {
  const value = /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
  if (!(value > 0 && value <= MAX_TARGET_MS)) {
    throw new RequestError(invalidField(name, given, `a number of milliseconds above 0 and at most ${MAX_TARGET_MS}`));
  }
  return value;
}

const EXPLAIN_HEADER = 'x-uellm-explain';

/** Does this request ask why it goes where it goes? @throws RequestError 400 for anything but true and false */
export function asksWhy(headers: IncomingHttpHeaders): boolean {
  const given = headers[EXPLAIN_HEADER] ?? 'false';
  if (given !== 'true' && given !== 'false') throw new RequestError(invalidField(EXPLAIN_HEADER, given, 'true or false'));
  return given === 'true';
}

const MAX_REQUEST_ID = 128;

/** The client's own request id, cut to 128 characters, where it is printable ASCII without blanks; else ours. */
export function requestIdOf(req: IncomingMessage, ours: string): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && /^[\x21-\x7e]+$/.test(given) ? given.slice(0, MAX_REQUEST_ID) : ours;
}
