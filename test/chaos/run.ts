/**
 * Torments an installation of its own while chats stream through it, and tells whether all that must hold did. The seed decides what is done
 * and when (schedule.ts); faults/ does it, operations.ts does what operators do meanwhile, outcomes.ts judges each request, watch.ts looks at
 * the rest by the rules in invariants/.
 */
import { setMaxListeners } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { layoutOf } from '../../bin/up/layout.ts';
import { messageOf } from '../../core/domain/errors.ts';
import { startInstallation } from '../support/installation.ts';
import type { ChaosContext } from './context.ts';
import { mountDisk } from './faults/fill-disk.ts';
import { inject } from './faults/index.ts';
import { DEPLOYMENTS, declareFleet, HOSTS } from './fleet.ts';
import { operate } from './operations.ts';
import { judge, type RequestRecord, type Verdict } from './outcomes.ts';
import { type Planned, planChaos } from './schedule.ts';
import { startTraffic } from './traffic.ts';
import { comeToRest, examine, type Findings, startWatch } from './watch.ts';

export interface ChaosOptions {
  seed: number;
  /** From the first fault to the last, seconds. */
  forSeconds: number;
  faults: number;
  longestCutSeconds: number;
  clientsPerDeployment: number;
  /** Longest time to come to rest in afterwards. */
  restSeconds: number;
  /** Keep folder and logs. */
  keep?: boolean;
  log: (line: string) => void;
}

type Counts = Record<string, Record<string, number>>;

export interface ChaosResult {
  seed: number;
  disk: ChaosContext['disk'];
  /** Kind → outcome → how often. */
  faults: Counts;
  operations: Counts;
  /** Verdict, with its cause → how many requests. */
  requests: Record<string, number>;
  /** Attempts that gateways made again before a token was sent. */
  retries: number;
  /** Invariant → what broke it. */
  broken: Findings & { requests: string[]; harness: string[] };
}

export async function runChaos(options: ChaosOptions, signal: AbortSignal): Promise<ChaosResult> {
  const { log } = options;
  const directory = mkdtempSync(join(tmpdir(), 'uellm-chaos-'));
  const disks = HOSTS.map((host) => mountDisk(layoutOf(directory).hostDir(host)));
  chmodSync(directory, 0o755); // Postgres may run as somebody else
  const mounted = disks.every((disk) => disk !== null);
  const unmountAll = () => {
    for (const unmount of disks) unmount?.();
  };
  let installation: Awaited<ReturnType<typeof startInstallation>> | undefined;
  try {
    installation = await startInstallation({
      directory,
      hostWorkers: Object.fromEntries(HOSTS.map((host) => [`host-${host}`, [host]])),
      controls: 2,
      gateways: 2,
      cuttable: true,
      // Engines are slowed down on purpose: that is not to be corrected.
      env: { UELLM_MONITOR_SECONDS: '0' },
      keep: options.keep,
      beforeRemoval: unmountAll,
    });
    log(`started in ${directory}`);
    await declareFleet(installation, untilDone);
    log('the fleet serves');
    return await torment(
      { installation, deployments: DEPLOYMENTS, disk: mounted ? 'tmpfs' : 'file-size limit', busy: new Set(), applied: [], log },
      options,
      signal,
    );
  } finally {
    if (installation) await installation.close();
    else {
      unmountAll();
      rmSync(directory, { recursive: true, force: true });
    }
  }

  async function untilDone<T>(what: string, look: () => Promise<T | null>): Promise<T> {
    for (const deadline = Date.now() + 90_000; Date.now() < deadline; await delay(250)) {
      signal.throwIfAborted();
      const found = await look();
      if (found !== null) return found;
    }
    throw new Error(`waited in vain for ${what}`);
  }
}

async function torment(context: ChaosContext, options: ChaosOptions, signal: AbortSignal): Promise<ChaosResult> {
  const { seed, clientsPerDeployment } = options;
  const { installation } = context;
  const schedule = planChaos({
    seed,
    forMs: options.forSeconds * 1000,
    faults: options.faults,
    longestCutMs: options.longestCutSeconds * 1000,
  });
  const result: ChaosResult = {
    seed,
    disk: context.disk,
    faults: {},
    operations: {},
    requests: {},
    retries: 0,
    broken: { requests: [], accelerators: [], orphans: [], workflows: [], agreement: [], harness: [] },
  };
  const watch = startWatch(installation);
  const traffic = startTraffic({
    seed,
    gateways: installation.gateways,
    deployments: DEPLOYMENTS,
    clientsPerDeployment,
    tokens: [15, 90],
    stuckAfterMs: (options.longestCutSeconds + 60) * 1000,
  });
  const began = Date.now();
  const following = new AbortController();
  for (const waitedFor of [signal, following.signal]) setMaxListeners(0, waitedFor);

  await Promise.all([
    atTheirTimes(schedule.faults, began, signal, async (planned) => {
      count(result.faults, planned.kind, (await inject(context, planned, signal)) ? 'done' : 'found no target');
    }),
    (async () => {
      const operations = atTheirTimes(schedule.operations, began, signal, async (planned) => {
        const outcome = await operate(context, planned, following.signal);
        context.log(`${planned.kind}: ${outcome}`);
        count(result.operations, planned.kind, outcome);
      });
      // What is not over when everything else should be at rest is not followed any longer.
      const late = setTimeout(() => following.abort(), (options.forSeconds + options.restSeconds) * 1000);
      await operations;
      clearTimeout(late);
    })(),
  ]).catch((error) => result.broken.harness.push(messageOf(error)));

  context.log('no more faults: coming to rest');
  const restless = await comeToRest(installation, options.restSeconds * 1000);
  for (const line of restless) context.log(`still under way: ${line}`);
  await traffic.stop();
  await watch.stop();
  Object.assign(result.broken, await examine(installation));
  result.broken.accelerators = [...new Set([...result.broken.accelerators, ...watch.doubleBookings()])];
  result.broken.agreement = [...new Set([...result.broken.agreement, ...restless])];
  result.retries = watch.retries();
  for (const record of traffic.records) {
    const verdict = judge(record, context.applied);
    const named = nameOf(verdict);
    result.requests[named] = (result.requests[named] ?? 0) + 1;
    if (verdict.verdict === 'lost') result.broken.requests.push(describe(record, verdict.because, began));
  }
  return result;
}

/** Begins each at its time, and waits for all. */
async function atTheirTimes<K, P extends Planned<K>>(
  planned: readonly P[],
  began: number,
  signal: AbortSignal,
  work: (planned: P) => Promise<void>,
): Promise<void> {
  await Promise.all(
    planned.map(async (one) => {
      await delay(Math.max(0, began + one.atMs - Date.now()), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await work(one);
    }),
  );
}

function count(counts: Counts, kind: string, outcome: string): void {
  const own = counts[kind] ?? {};
  counts[kind] = { ...own, [outcome]: (own[outcome] ?? 0) + 1 };
}

const nameOf = (v: Verdict) => ('because' in v && v.verdict !== 'lost' ? `${v.verdict} (${v.because})` : v.verdict);

function describe({ startedAtMs, endedAtMs, gateway, deployment }: RequestRecord, because: string, began: number): string {
  const at = (ms: number) => ((ms - began) / 1000).toFixed(1);
  return `${deployment} by ${gateway} from ${at(startedAtMs)} s to ${at(endedAtMs)} s: ${because}`;
}
