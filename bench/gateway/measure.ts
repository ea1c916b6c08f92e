/** The parts of the bench: each puts one kind of load on one router, and says what that took. */
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../../core/domain/statistics.ts';
import type { Engines } from './engines.ts';
import { closedLoop, openLoop } from './load.ts';
import { type QuestionsOptions, questionsOf } from './questions.ts';
import { cpuSecondsOf, type Running, rssBytesOf } from './running.ts';

/** What a part says of a router: figures by name, and requests that were not answered whole. */
export interface Measured {
  figures: Record<string, number>;
  /** Answers that were whole, where the part counts them; and those that were not. */
  whole?: number;
  failed: number;
  failure: string | null;
}

export interface Times {
  warmSeconds: number;
  seconds: number;
}

export const TOKENS = 32;
export const LARGE_BODY_BYTES = 200_000;
export const REQUESTS_PER_SECOND = 500;

type Asked = Pick<QuestionsOptions, 'streamed' | 'bodyBytes'>;

export function questionsFor(at: { port: number; headers: Record<string, string> }, asked: Asked, tokens = TOKENS) {
  return questionsOf({ host: `127.0.0.1:${at.port}`, headers: at.headers, tokens, ...asked });
}

/** Processor time per request, requests per second, and memory at the end, with so many requests always open. */
export async function closed(router: Running, asked: Asked, concurrency: number, times: Times) {
  const load = closedLoop(router.port, questionsFor(router, asked), concurrency);
  try {
    await warmUp(() => load.tally.whole, times.warmSeconds * 1000);
    const before = { whole: load.tally.whole, cpuSeconds: cpuSecondsOf(router.pid), ms: performance.now() };
    await delay(times.seconds * 1000);
    const requests = load.tally.whole - before.whole;
    const seconds = (performance.now() - before.ms) / 1000;
    const cpuSeconds = cpuSecondsOf(router.pid) - before.cpuSeconds;
    return {
      cpuUs: (cpuSeconds / Math.max(1, requests)) * 1e6,
      perSecond: requests / seconds,
      rssBytes: rssBytesOf(router.pid),
      ...load.tally,
    };
  } finally {
    load.stop();
  }
}

/** So much compiles what compiles itself: on a machine that is busy, that takes longer. */
const WARM_REQUESTS = 15_000;

/** So long, and longer where it was little; but not for ever, for those that are slow by themselves. */
async function warmUp(done: () => number, warmMs: number): Promise<void> {
  await delay(warmMs);
  for (const untilMs = performance.now() + 4 * warmMs; done() < WARM_REQUESTS && performance.now() < untilMs; ) await delay(100);
}

export async function plain(router: Running, times: Times): Promise<Measured> {
  const { cpuUs, perSecond, rssBytes, ...answers } = await closed(router, { streamed: false }, 64, times);
  return { figures: { plainCpuUs: cpuUs, plainPerSecond: perSecond, plainRssBytes: rssBytes }, ...answers };
}

export async function streaming(router: Running, times: Times): Promise<Measured> {
  const at64 = await closed(router, { streamed: true }, 64, times);
  const at16 = await closed(router, { streamed: true }, 16, times);
  return {
    figures: { streamCpuUs: at64.cpuUs, streamRssBytes: at64.rssBytes, streamPerSecond: at16.perSecond, streamAt16CpuUs: at16.cpuUs },
    whole: at64.whole + at16.whole,
    failed: at64.failed + at16.failed,
    failure: at64.failure ?? at16.failure,
  };
}

/** Streams as engines give them: a token every 20 ms, each a packet of its own. */
export async function paced(router: Running, engines: Engines, times: Times): Promise<Measured> {
  await engines.setPace({ tokens: TOKENS, gapMs: 20 });
  const { cpuUs, whole, failed, failure } = await closed(router, { streamed: true }, 256, times);
  await delay(100); // engines hear that the last streams are gone
  await engines.setPace({ tokens: TOKENS, gapMs: 0 });
  return { figures: { pacedCpuUs: cpuUs }, whole, failed, failure };
}

export async function bodies(router: Running, times: Times): Promise<Measured> {
  const asked = { streamed: false, bodyBytes: LARGE_BODY_BYTES };
  const { cpuUs, perSecond, rssBytes: _, ...answers } = await closed(router, asked, 16, times);
  return { figures: { bodyCpuUs: cpuUs, bodyPerSecond: perSecond }, ...answers };
}

/** @param direct what the same requests took without a router; null where this is without one */
export async function latency(
  at: { port: number; headers: Record<string, string> },
  direct: { p50: number; p99: number } | null,
  times: Times,
  seed: string,
): Promise<Measured & { p50: number; p99: number }> {
  const loop = { requestsPerSecond: REQUESTS_PER_SECOND, ...times, seed };
  const { latenciesMs, ...answers } = await openLoop(at.port, questionsFor(at, { streamed: false }), loop);
  const [p50, p99] = [quantile(latenciesMs, 0.5), quantile(latenciesMs, 0.99)];
  const figures: Record<string, number> = { p50Ms: p50, p99Ms: p99 };
  if (direct) Object.assign(figures, { addedP50Ms: p50 - direct.p50, addedP99Ms: p99 - direct.p99 });
  return { figures, ...answers, p50, p99 };
}
