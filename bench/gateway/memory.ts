/** Memory: with thousands of open streams, and over a million requests. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../../core/domain/statistics.ts';
import { Connection, type Outcome } from './connection.ts';
import type { Engines } from './engines.ts';
import { closedLoop } from './load.ts';
import { type Measured, questionsFor, TOKENS } from './measure.ts';
import { type Running, rssBytesOf } from './running.ts';

const STREAMS = 10_000;
/** A router takes two sockets for each stream, and some for itself. */
const SPARE_DESCRIPTORS = 300;
const OPENED_AT_ONCE = 50;
const OPENING_EVERY_MS = 25;
/** Asked and without a token yet, at most: less than fit into anybody's queue of connections. */
const MOST_OPENING = 200;
const GAP_MS = 3000;
/** More than anybody waits for here. */
const ENDLESS = 100_000;
const OPEN_WITHIN_MS = 60_000;
const HELD_SECONDS = 10;

/** As many streams as the limit on open files lets a router have. Source: proc(5), `/proc/<pid>/limits`. */
export function possibleStreams(limits: string, wanted = STREAMS): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? wanted : Math.max(0, Math.min(wanted, Math.floor((Number(soft) - SPARE_DESCRIPTORS) / 2)));
}

/** Memory while they are open, each with a token every few seconds, the most of several looks. A stream that breaks off has failed. */
export async function streams(router: Running, engines: Engines): Promise<Measured> {
  await engines.setPace({ tokens: ENDLESS, gapMs: GAP_MS });
  const count = possibleStreams(readFileSync(`/proc/${router.pid}/limits`, 'utf8'));
  const questions = questionsFor(router, { streamed: true }, ENDLESS);
  const failures: Outcome[] = [];
  const connections: Connection[] = [];
  const streaming = () => connections.filter((c) => c.tokens > 0).length;
  try {
    for (const untilMs = performance.now() + OPEN_WITHIN_MS; connections.length < count && performance.now() < untilMs; ) {
      const opening = connections.length - streaming() - failures.length;
      for (let i = 0; i < Math.min(OPENED_AT_ONCE, MOST_OPENING - opening) && connections.length < count; i++) {
        const connection = new Connection(router.port);
        connections.push(connection);
        connection.ask(questions[connections.length % questions.length]!, (outcome) => failures.push(outcome));
      }
      await delay(OPENING_EVERY_MS);
    }
    for (const untilMs = performance.now() + OPEN_WITHIN_MS; streaming() + failures.length < count && performance.now() < untilMs; )
      await delay(200);
    const looks: number[] = [];
    for (let second = 0; second < HELD_SECONDS; second++) {
      await delay(1000);
      looks.push(rssBytesOf(router.pid));
    }
    const silent = count - streaming();
    return {
      figures: { streamsOpen: count - silent, streamsRssBytes: Math.max(...looks) },
      failed: silent + failures.length,
      failure: failures[0] ?? (silent > 0 ? `${silent} streams without a token` : null),
    };
  } finally {
    for (const connection of connections) connection.close();
    await delay(1000); // engines hear of it
    await engines.setPace({ tokens: TOKENS, gapMs: 0 });
  }
}

const LOOK_EVERY_MS = 1000;

/** So many requests with 64 open at once, half of them streams, and memory over that time. */
export async function million(router: Running, requests: number, log: (line: string) => void): Promise<Measured & { rssBytes: number[] }> {
  const questions = [false, true].map((streamed) => questionsFor(router, { streamed }));
  const mixed = questions[0]!.flatMap((question, i) => [question, questions[1]![i]!]);
  const load = closedLoop(router.port, mixed, 64);
  const looks: number[] = [];
  try {
    let told = 0;
    while (load.tally.whole < requests && load.tally.failed < 1000) {
      await delay(LOOK_EVERY_MS);
      looks.push(rssBytesOf(router.pid));
      const tenth = Math.floor((10 * load.tally.whole) / requests);
      if (tenth > told) log(`${router.name}: ${load.tally.whole} requests, ${(looks.at(-1)! / 1e6).toFixed(0)} MB`);
      told = tenth;
    }
  } finally {
    load.stop();
  }
  const { whole, failed, failure } = load.tally;
  return { figures: { requests: whole, growth: growthOf(looks), lastRssBytes: looks.at(-1) ?? 0 }, failed, failure, rssBytes: looks };
}

/** The median of the last fifth over that of the second: the first is the code's compiling. */
export function growthOf(looks: readonly number[]): number {
  const fifth = (n: number) => looks.slice(Math.floor((n * looks.length) / 5), Math.floor(((n + 1) * looks.length) / 5));
  const second = quantile(fifth(1), 0.5);
  return second === 0 ? 0 : quantile(fifth(4), 0.5) / second;
}
