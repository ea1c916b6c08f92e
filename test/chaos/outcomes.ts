/** What became of each request, and whether a fault explains it. Pure: the traffic records, this judges. */
import type { FaultKind } from './schedule.ts';

export type RequestEnd =
  /** Its `[DONE]` came. */
  | { how: 'completed' }
  /** The gateway said what went wrong, as an answer or as the last event of the stream. */
  | { how: 'error'; code: string; message: string }
  /** Nobody listened. */
  | { how: 'refused' }
  /** The connection ended without a word. */
  | { how: 'broken'; detail: string }
  /** Nothing came any more. */
  | { how: 'stuck' };

export interface RequestRecord {
  startedAtMs: number;
  endedAtMs: number;
  gateway: string;
  deployment: string;
  /** As the answer's head says; null where none came. */
  replicaId: string | null;
  /** Events with output that had come. */
  tokens: number;
  end: RequestEnd;
}

/** A fault as it was put in. */
export interface Applied {
  kind: FaultKind;
  /** The process, host or replica. */
  target: string;
  atMs: number;
  /** When it was mended; null while it is on. */
  untilMs: number | null;
  /** Replicas whose engines it took away or stopped. */
  replicaIds: readonly string[];
}

export type Verdict =
  | { verdict: 'completed' }
  /** Never accepted: the client goes elsewhere. */
  | { verdict: 'not-accepted'; because: string }
  /** Told clearly, and a fault is why. */
  | { verdict: 'clear-error'; because: string }
  | { verdict: 'gateway-killed' }
  | { verdict: 'lost'; because: string };

/** What was seen of a fault may lie so far beside what happened. */
const SLACK_MS = 1500;
/** A gateway that was killed is away, and then not ready, for so long beyond what was seen. */
const STARTING_MS = 15_000;
/** After engines were lost, those that are left may have too much to do for so long. */
const SHORT_OF_ENGINES_MS = 60_000;
/** Attempts that a gateway makes: an error before any token needs as many engines that failed. */
const ATTEMPTS = 3;
const TAKES_ENGINES: readonly FaultKind[] = ['kill-engine', 'cut-host'];
const SHORTAGE_CODES = ['no_replica', 'shed', 'queue_full'];

export function judge(request: RequestRecord, faults: readonly Applied[]): Verdict {
  const { end } = request;
  switch (end.how) {
    case 'completed':
      return { verdict: 'completed' };
    case 'refused':
      if (gatewayWasDown(request, faults, STARTING_MS)) return { verdict: 'not-accepted', because: 'the gateway was killed' };
      return lost('a living gateway did not listen');
    case 'broken':
      if (gatewayWasDown(request, faults, SLACK_MS)) return { verdict: 'gateway-killed' };
      return lost(`its connection broke off after ${request.tokens} tokens: ${end.detail}`);
    case 'stuck':
      return lost(`nothing came any more after ${request.tokens} tokens`);
    case 'error':
      return judgeError(request, end.code, end.message, faults);
  }
}

function judgeError(request: RequestRecord, code: string, message: string, faults: readonly Applied[]): Verdict {
  const tookEngines = faults.filter((f) => TAKES_ENGINES.includes(f.kind));
  if (code === 'draining') return { verdict: 'not-accepted', because: 'the gateway was ending' };
  // One that has just begun has no routing table yet, and says at its /readyz that it is not ready.
  if ((code === 'starting' || code === 'no_replica') && gatewayWasDown(request, faults, STARTING_MS))
    return { verdict: 'not-accepted', because: 'the gateway was starting' };
  if (SHORTAGE_CODES.includes(code)) {
    const short = tookEngines.some((f) => overlaps(f, request.startedAtMs - SHORT_OF_ENGINES_MS, request.endedAtMs));
    return short ? { verdict: 'clear-error', because: code } : lost(`${code} although no engine was taken away: ${message}`);
  }
  if (code !== 'engine_failed') return lost(`${code}: ${message}`);
  const during = tookEngines.filter((f) => overlaps(f, request.startedAtMs, request.endedAtMs));
  if (request.tokens === 0) {
    const taken = during.reduce((sum, f) => sum + f.replicaIds.length, 0);
    return taken >= ATTEMPTS ? { verdict: 'clear-error', because: 'no attempt was left' } : lost(`not tried elsewhere: ${message}`);
  }
  const its = during.find((f) => request.replicaId !== null && f.replicaIds.includes(request.replicaId));
  if (its) return { verdict: 'clear-error', because: its.kind };
  return lost(`its engine ${request.replicaId} failed after ${request.tokens} tokens, and no fault was put there: ${message}`);
}

function gatewayWasDown({ gateway, startedAtMs, endedAtMs }: RequestRecord, faults: readonly Applied[], slackMs: number): boolean {
  return faults.some((f) => f.kind === 'kill-gateway' && f.target === gateway && overlaps(f, startedAtMs, endedAtMs, slackMs));
}

function overlaps({ atMs, untilMs }: Applied, fromMs: number, toMs: number, slackMs = SLACK_MS): boolean {
  return atMs <= toMs + slackMs && (untilMs ?? Number.POSITIVE_INFINITY) >= fromMs - slackMs;
}

const lost = (because: string): Verdict => ({ verdict: 'lost', because });
