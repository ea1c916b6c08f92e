/** A run: engines, routers by turns, each part of the bench on each of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvironment } from '../../bin/environment.ts';
import { messageOf } from '../../core/domain/errors.ts';
import { US } from './bars.ts';
import { measureDecision } from './decision.ts';
import { type Engines, startEngines } from './engines.ts';
import { install } from './install.ts';
import { bodies, latency, type Measured, paced, plain, streaming, type Times } from './measure.ts';
import { million, streams } from './memory.ts';
import type { Round } from './report.ts';
import type { RouterKind } from './routers.ts';
import { type Running, startRouter } from './running.ts';

/** Each round has these, on a router that was started for the round. */
const ROUND_PARTS = ['plain', 'streaming', 'paced', 'latency', 'bodies'] as const;
/** These are done once, each on a router of its own. */
const SINGLE_PARTS = ['streams', 'decision', 'memory'] as const;
export const PARTS = [...ROUND_PARTS, ...SINGLE_PARTS];
export type Part = (typeof PARTS)[number];

export interface RunOptions {
  /** Ourselves first. */
  kinds: readonly RouterKind[];
  parts: readonly Part[];
  rounds: number;
  times: Times;
  peerPolicy: string | null;
  /** Of the part `memory`. */
  requests: number;
  log: (line: string) => void;
}

export interface RunResult {
  rounds: Round[];
  /** Routers that could not be installed or started, and why. */
  absent: Record<string, string>;
  /** Router → resident bytes, a look a second, of the part `memory`. */
  memory: Record<string, number[]>;
}

const ENGINES = 2;
const MAX_IN_FLIGHT = 256;
/** Of engines that are to hold thousands of streams. */
const MANY_IN_FLIGHT = 16_384;

export async function run({ kinds, parts, rounds, times, peerPolicy, requests, log }: RunOptions): Promise<RunResult> {
  const folder = mkdtempSync(join(tmpdir(), 'uellm-bench-gateway-'));
  const result: RunResult = { rounds: [], absent: {}, memory: {} };
  const { absent } = result;
  const installed = await installAll(kinds, absent, log);
  const engines = await startEngines(ENGINES);
  const on = async (kind: RouterKind, maxInFlight: number, measure: (router: Running) => Promise<void>) => {
    if (absent[kind.name]) return;
    let router: Running;
    try {
      const at = { engineUrls: engines.urls, folder, maxInFlight, peerPolicy, installed: installed.get(kind) ?? '' };
      router = await startRouter(kind, at);
    } catch (error) {
      absent[kind.name] = messageOf(error);
      log(`${kind.name} is left out: ${messageOf(error)}`);
      return;
    }
    await measure(router).finally(() => router.close());
  };
  const keep = (round: Round) => {
    result.rounds.push(round);
    const failures = round.failed > 0 ? `, ${round.failed} NOT WHOLE: ${round.failure}` : '';
    log(`round ${round.round}: ${round.router}: ${Object.entries(round.figures).map(shown).join(' ')}${failures}`);
  };
  try {
    for (let round = 1; round <= rounds && parts.some(isRoundPart); round++) {
      const direct = parts.includes('latency') ? await latency(directTo(engines), null, times, `round ${round}`) : null;
      if (direct) keep({ ...direct, router: 'direct', round });
      for (const kind of rotated(kinds, round - 1)) {
        await on(kind, MAX_IN_FLIGHT, async (router) => {
          const measured = new Map<Part, Measured>();
          for (const part of parts) {
            if (part === 'plain') measured.set(part, await plain(router, times));
            if (part === 'streaming') measured.set(part, await streaming(router, times));
            if (part === 'paced') measured.set(part, await paced(router, engines, times));
            if (part === 'latency' && canTake(measured.get('plain')))
              measured.set(part, await latency(router, direct, times, `round ${round}`));
            if (part === 'bodies') measured.set(part, await bodies(router, times));
          }
          keep({ router: kind.name, round, ...together(measured) });
        });
      }
    }
    if (parts.includes('decision')) keep({ router: US, round: 1, ...measureDecision() });
    for (const kind of kinds) {
      if (parts.includes('streams'))
        await on(kind, MANY_IN_FLIGHT, async (router) => keep({ router: kind.name, round: 1, ...(await streams(router, engines)) }));
      if (parts.includes('memory')) {
        await on(kind, MAX_IN_FLIGHT, async (router) => {
          const { rssBytes, ...measured } = await million(router, requests, log);
          result.memory[kind.name] = rssBytes;
          keep({ router: kind.name, round: 1, ...measured });
        });
      }
    }
  } finally {
    engines.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return result;
}

async function installAll(kinds: readonly RouterKind[], absent: Record<string, string>, log: RunOptions['log']) {
  const installed = new Map<RouterKind, string>();
  for (const kind of kinds) {
    if (!kind.package) continue;
    try {
      installed.set(kind, await install(readEnvironment().cacheDir, kind.package, log));
    } catch (error) {
      absent[kind.name] = messageOf(error);
    }
  }
  return installed;
}

const isRoundPart = (part: Part) => ROUND_PARTS.some((p) => p === part);

/** A router that cannot take the open loop's rate would only show how its queue grows. */
function canTake(measured: Measured | undefined): boolean {
  return (measured?.figures.plainPerSecond ?? Number.POSITIVE_INFINITY) > 750;
}

/** Of more failures, errors are what was measured. */
const FAILED_AT_MOST = 0.01;

/** All parts as one; without the figures of a part that failed. */
function together(parts: ReadonlyMap<Part, Measured>): Measured {
  const all: Measured = { figures: {}, failed: 0, failure: null };
  for (const [part, { figures, whole = 0, failed, failure }] of parts) {
    if (failed <= FAILED_AT_MOST * (whole + failed)) Object.assign(all.figures, figures);
    all.failed += failed;
    all.failure ??= failure && `${part}: ${failure}`;
  }
  const { plainRssBytes = 0, streamRssBytes = 0 } = all.figures;
  if (plainRssBytes + streamRssBytes > 0) all.figures.rssBytes = Math.max(plainRssBytes, streamRssBytes);
  return all;
}

function shown([name, value]: [string, number]): string {
  return `${name} ${name.endsWith('Bytes') ? `${(value / 1e6).toFixed(0)}e6` : value.toPrecision(4)}`;
}

/** Each round begins with another, so that nobody always runs on a machine that somebody has just left. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

function directTo({ urls: [url = ''] }: Engines): { port: number; headers: Record<string, string> } {
  return { port: Number(new URL(url).port), headers: {} };
}
