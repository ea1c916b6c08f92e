/**
 * The demo's clients: an open loop (requests go out when they are due, whatever became of those before) of streaming chats through the
 * gateway. It counts every end that a client could see: a stream that ended with `[DONE]`, one that was cut, an answer that was none, and
 * what could not be sent because too much was open.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import type { TraceRequest } from '../../core/simulator/traces/trace.ts';
import { sendChat } from './chat.ts';
import { promptOf } from './prompts.ts';

export interface TrafficOptions {
  gatewayUrl: string;
  apiKey?: string | undefined;
  /** In order of arrival. */
  requests: Iterable<TraceRequest> | AsyncIterable<TraceRequest>;
  /** At least one: the `model` of the requests and how often; shares are relative to their sum. */
  deployments: readonly { name: string; share: number }[];
  /** Ends the traffic: nothing new is sent, what is open may end. */
  signal: AbortSignal;
  /** 2 sends twice as fast as `requests` says. */
  rateScale?: number;
  /** Begins again at the end of `requests`, which must then be a list. */
  loop?: boolean;
  /** Beyond so many open requests the next ones are not sent, but counted. */
  maxInFlight?: number;
  /** How long open streams may take to end after `signal`. */
  graceMs?: number;
}

export interface TrafficCounts {
  sent: number;
  inFlight: number;
  /** Streams that ended with `[DONE]`. */
  ok: number;
  /** Turned away by the gateway: 429 or 503. */
  refused: number;
  /** Any other answer than a stream, or none. */
  failed: number;
  /** Streams that ended without `[DONE]`. */
  cut: number;
  /** Due while `maxInFlight` were open. */
  notSent: number;
  /** Given up by ourselves, at the end. */
  abandoned: number;
}

export interface Traffic {
  counts(): TrafficCounts;
  /** After the last stream has ended: the requests ran out, or `signal` and the grace are over. Rejects only as `requests` does. */
  done: Promise<TrafficCounts>;
}

/** Further behind than this, the machine slept: the schedule goes on from now instead of sending hours at once. */
const MAX_LAG_MS = 5000;

export function startTraffic(options: TrafficOptions): Traffic {
  const { signal, deployments, gatewayUrl, apiKey, maxInFlight = 256, graceMs = 10_000 } = options;
  const counts: TrafficCounts = { sent: 0, inFlight: 0, ok: 0, refused: 0, failed: 0, cut: 0, notSent: 0, abandoned: 0 };
  const agent = new Agent({ connections: maxInFlight, headersTimeout: 120_000, bodyTimeout: 120_000 });
  const giveUp = new AbortController();
  setMaxListeners(maxInFlight, giveUp.signal);
  const open = new Set<Promise<void>>();
  const nextDeployment = rotation(deployments);

  const send = async (request: TraceRequest) => {
    const number = counts.sent++;
    counts.inFlight++;
    const prompt = request.prompt ?? promptOf(request.inputTokens, number);
    counts[await sendChat({ agent, gatewayUrl, apiKey, signal: giveUp.signal }, nextDeployment(), prompt, request)]++;
    counts.inFlight--;
  };

  let grace: NodeJS.Timeout | undefined;
  const hurry = () => {
    grace = setTimeout(() => giveUp.abort(), graceMs);
  };
  signal.addEventListener('abort', hurry, { once: true });

  const run = async () => {
    for await (const request of schedule(options)) {
      if (counts.inFlight >= maxInFlight) {
        counts.notSent++;
        continue;
      }
      const sending = send(request).finally(() => open.delete(sending));
      open.add(sending);
    }
    await Promise.all(open);
    clearTimeout(grace);
    signal.removeEventListener('abort', hurry);
    await agent.close();
    return { ...counts };
  };

  return { counts: () => ({ ...counts }), done: run() };
}

/** Yields each request when it is due; ends with the requests, or by the signal. */
async function* schedule({ requests, rateScale = 1, loop = false, signal }: TrafficOptions): AsyncGenerator<TraceRequest> {
  let startMs = performance.now();
  let lengthMs = 0;
  do {
    startMs += lengthMs;
    lengthMs = 0;
    for await (const request of requests) {
      const dueMs = request.arrivalMs / rateScale;
      const waitMs = startMs + dueMs - performance.now();
      if (waitMs < -MAX_LAG_MS) startMs -= waitMs;
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      lengthMs = dueMs;
      yield request;
    }
  } while (loop && lengthMs > 0);
}

/** Names in turn, each as often as its share: smooth weighted round robin. */
function rotation(deployments: readonly { name: string; share: number }[]): () => string {
  const total = deployments.reduce((sum, d) => sum + d.share, 0);
  const entries = deployments.map((d) => ({ ...d, credit: 0 }));
  return () => {
    for (const entry of entries) entry.credit += entry.share;
    const next = entries.reduce((best, entry) => (entry.credit > best.credit ? entry : best));
    next.credit -= total;
    return next.name;
  };
}
