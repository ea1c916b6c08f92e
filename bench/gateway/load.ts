/** Load on a router: so many requests always open (closed loop), or so many a second whatever comes back (open loop). */
import { setTimeout as delay } from 'node:timers/promises';
import { createRandom } from '../../core/simulator/random.ts';
import { Connection, type Outcome, type Question } from './connection.ts';

export interface Tally {
  whole: number;
  failed: number;
  /** What was wrong with the first that failed. */
  failure: string | null;
}

export interface ClosedLoop {
  readonly tally: Readonly<Tally>;
  /** Ends connections as they are. */
  stop(): void;
}

/** One failing router must not be asked a million times a second. */
const AFTER_FAILURE_MS = 20;

export function closedLoop(port: number, questions: readonly Question[], concurrency: number): ClosedLoop {
  const tally: Tally = { whole: 0, failed: 0, failure: null };
  let next = 0;
  let stopped = false;
  const connections = Array.from({ length: concurrency }, () => new Connection(port));
  for (const connection of connections) {
    const ask = () => connection.ask(questions[next++ % questions.length]!, onEnd);
    const onEnd = (outcome: Outcome) => {
      if (stopped) return;
      count(tally, outcome);
      if (outcome === null) ask();
      else setTimeout(() => stopped || ask(), AFTER_FAILURE_MS);
    };
    ask();
  }
  return {
    tally,
    stop() {
      stopped = true;
      for (const connection of connections) connection.close();
    },
  };
}

export interface OpenLoopResult extends Tally {
  /** From sending to the end of the answer, ms, of requests after the warm-up. */
  latenciesMs: number[];
}

export interface OpenLoopOptions {
  requestsPerSecond: number;
  /** Not counted. */
  warmSeconds: number;
  seconds: number;
  seed: string;
}

/** Arrivals are Poisson, the same for the same seed. Latency counts from the sending: a late timer of ours is no router's doing. */
export async function openLoop(port: number, questions: readonly Question[], options: OpenLoopOptions): Promise<OpenLoopResult> {
  const { requestsPerSecond, warmSeconds, seconds } = options;
  const random = createRandom(options.seed);
  const result: OpenLoopResult = { whole: 0, failed: 0, failure: null, latenciesMs: [] };
  const idle: Connection[] = [];
  const all: Connection[] = [];
  const startMs = performance.now();
  const countFromMs = startMs + warmSeconds * 1000;
  const endMs = countFromMs + seconds * 1000;
  let next = 0;
  let open = 0;
  const send = () => {
    const connection = idle.pop() ?? added(all, new Connection(port));
    const sentMs = performance.now();
    open += 1;
    connection.ask(questions[next++ % questions.length]!, (outcome) => {
      open -= 1;
      idle.push(connection);
      if (sentMs < countFromMs) return;
      count(result, outcome);
      if (outcome === null) result.latenciesMs.push(performance.now() - sentMs);
    });
  };
  const gapMs = () => (-Math.log(1 - random()) * 1000) / requestsPerSecond;
  for (let dueMs = startMs + gapMs(); dueMs < endMs; ) {
    const nowMs = performance.now();
    for (; dueMs <= nowMs && dueMs < endMs; dueMs += gapMs()) send();
    await delay(1);
  }
  for (const untilMs = performance.now() + 5000; open > 0 && performance.now() < untilMs; ) await delay(5);
  for (const connection of all) connection.close();
  if (open > 0) {
    result.failed += open;
    result.failure ??= `${open} without an answer after 5 s`;
  }
  return result;
}

function count(tally: Tally, outcome: Outcome): void {
  if (outcome === null) {
    tally.whole += 1;
    return;
  }
  tally.failed += 1;
  tally.failure ??= outcome;
}

function added<T>(list: T[], item: T): T {
  list.push(item);
  return item;
}
