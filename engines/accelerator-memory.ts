/**
 * Whether accelerators are really free: what another engine left behind, or a stranger holds, is in no record of ours. A killed engine's
 * memory is given back some seconds after its process is gone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { conflict } from '../core/domain/errors.ts';
import { GIB } from '../core/domain/units.ts';
import type { EngineSpec } from './driver.ts';
import type { EndOptions } from './end-engine.ts';

export interface AcceleratorMemory {
  index: number;
  totalBytes: number;
  usedBytes: number;
  /** By whom, e.g. `pid 4242 (python3)`; empty where nobody knows. */
  holders: string[];
}

export interface MemoryCheck {
  /** Of this host's accelerators; those that nobody can tell of are left out. */
  read: () => Promise<AcceleratorMemory[]>;
  /** How long to wait for memory to be given back, milliseconds; 30 s without it. */
  waitMs?: number;
}

const WAIT_MS = 30_000;
const LOOK_EVERY_MS = 500;
/** Drivers, displays and monitoring take some of an idle device: less than either of these is nobody's engine. */
const IDLE_BYTES = GIB;
const IDLE_SHARE = 0.05;

/**
 * Returns once the memory of the engine's accelerators is free. A simulated engine has none: records alone decide there.
 * @throws conflict that names accelerator, bytes and processes; the signal's reason
 */
export async function awaitMemoryFree(
  check: MemoryCheck | undefined,
  spec: EngineSpec,
  { signal, onWait }: Pick<EndOptions, 'signal' | 'onWait'>,
): Promise<void> {
  if (!check || spec.engine === 'simulated') return;
  const waitMs = check.waitMs ?? WAIT_MS;
  for (const deadline = Date.now() + waitMs; ; ) {
    onWait?.('looking whether the memory of its accelerators is free');
    const [held] = (await check.read()).filter((use) => spec.accelerators.includes(use.index) && isHeld(use));
    if (!held) return;
    const { index, usedBytes, totalBytes, holders } = held;
    const by = holders.length > 0 ? ` by ${holders.join(', ')}` : '';
    const what = `${(usedBytes / GIB).toFixed(1)} of ${(totalBytes / GIB).toFixed(1)} GiB of its memory are in use${by}`;
    if (Date.now() >= deadline) {
      throw conflict(
        'accelerator',
        `${spec.host}/${index}`,
        `${what}, and were not given back within ${waitMs / 1000} s: nothing starts on it`,
      );
    }
    onWait?.(`accelerator ${index}: ${what}`);
    await delay(LOOK_EVERY_MS);
    signal?.throwIfAborted();
  }
}

const isHeld = ({ usedBytes, totalBytes }: AcceleratorMemory) => usedBytes > Math.max(IDLE_BYTES, IDLE_SHARE * totalBytes);
