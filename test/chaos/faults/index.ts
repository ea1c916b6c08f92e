/** The faults, one file each sort. Each is put in, lasts for its time, and is mended. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ChaosContext } from '../context.ts';
import type { Applied } from '../outcomes.ts';
import type { FaultKind, PlannedFault } from '../schedule.ts';
import { cutHost } from './cut-host.ts';
import { delayAnswers } from './delay-answers.ts';
import { fillDisk } from './fill-disk.ts';
import { killEngine } from './kill-engine.ts';
import { killProcess } from './kill-process.ts';

/** A fault that has found its target, and has taken it. */
export interface Aimed {
  target: string;
  /** Names in `busy` that it holds. */
  holds: readonly string[];
  /** Replicas whose engines it takes away or stops. */
  replicaIds: readonly string[];
  strike(): Promise<void>;
  mend(): Promise<void>;
}

/** null where there is no target. */
export type Aim = (context: ChaosContext, draw: number) => Promise<Aimed | null>;

const AIMS: Readonly<Record<FaultKind, Aim>> = {
  'kill-control': killProcess('control-'),
  'kill-host-worker': killProcess('host-'),
  'kill-gateway': killProcess('gateway-'),
  'kill-engine': killEngine,
  'kill-postgres': killProcess('postgres'),
  'kill-temporal': killProcess('temporal'),
  'cut-host': cutHost,
  'fill-disk': fillDisk,
  'delay-answers': delayAnswers,
};

/** What the same target suffers already comes to its end first. */
const LONGEST_WAIT_MS = 120_000;

async function aimFree({ busy }: ChaosContext, aim: () => Promise<Aimed | null>): Promise<Aimed | null> {
  for (const deadline = Date.now() + LONGEST_WAIT_MS; Date.now() < deadline; await delay(100)) {
    const aimed = await aim();
    if (!aimed?.holds.some((name) => busy.has(name))) return aimed;
  }
  return null;
}

/** @returns false where there was nothing that it could be put into */
export async function inject(context: ChaosContext, { kind, draw, lastsMs }: PlannedFault, signal: AbortSignal): Promise<boolean> {
  const aimed = await aimFree(context, () => AIMS[kind](context, draw));
  if (!aimed) return false;
  for (const name of aimed.holds) context.busy.add(name);
  const applied: Applied = { kind, target: aimed.target, atMs: Date.now(), untilMs: null, replicaIds: aimed.replicaIds };
  context.applied.push(applied);
  context.log(`${kind} ${aimed.target}${lastsMs > 0 ? ` for ${(lastsMs / 1000).toFixed(1)} s` : ''}`);
  try {
    await aimed.strike();
    await delay(lastsMs, undefined, { signal }).catch(() => undefined);
  } finally {
    await aimed.mend();
    applied.untilMs = Date.now();
    for (const name of aimed.holds) context.busy.delete(name);
  }
  return true;
}
