/** Ending one engine: it is asked once, may finish what it runs until its grace is over, and is then killed. */
import type { EngineDriver, EngineState } from './driver.ts';
import { driverOfKind, type HostContext, identityOf, isLive, processKey } from './host-context.ts';
import { endProcess } from './process.ts';
import type { EngineRecord } from './state-files.ts';

export interface EndOptions {
  /** Seconds to finish in, from when the engine was first asked; else its driver's `stopGraceSeconds`. */
  graceSeconds?: number;
  /** Ends the waiting. The engine has been asked and goes on ending; a later call waits on with what is left of its grace. */
  signal?: AbortSignal;
  /** Told about once a second what is being waited for. */
  onWait?: (detail: string) => void;
}

const TELL_EVERY_MS = 1000;

/**
 * Ends the engine of a record; does nothing where it runs no more. The caller holds the replica's lock.
 * @returns requests that were open when the engine was last heard of, if it was killed or died; 0 if it finished them. How a process ended is
 *   told only to the one that started it: for an adopted engine that ended by itself, the last look (0.1 s before) decides.
 */
export async function endEngine(host: HostContext, record: EngineRecord, options: EndOptions): Promise<number> {
  if (!isLive(record)) return 0;
  const { replicaId, generation, engine } = record.spec;
  // A driver may be gone from the configuration; the engine must end all the same.
  const driver = driverOfKind(host.drivers, engine);
  const graceSeconds = options.graceSeconds ?? driver?.stopGraceSeconds ?? 0;
  const asked = record.endAskedAtMs !== null;
  const askedAtMs = record.endAskedAtMs ?? Date.now();
  const deadlineMs = askedAtMs + graceSeconds * 1000;
  // Written before it is done: an engine that was perhaps not asked only runs idle until the deadline, one that is asked twice may drop all.
  if (!asked) await host.files.writeRecord({ ...record, endAskedAtMs: askedAtMs });

  let open = (await openRequests(driver, record)) ?? 0;
  let toldAtMs = 0;
  const outcome = await endProcess(identityOf(record), {
    deadlineMs,
    asked,
    signal: options.signal,
    onLook: async () => {
      open = (await openRequests(driver, record)) ?? open;
      if (Date.now() - toldAtMs < TELL_EVERY_MS) return;
      toldAtMs = Date.now();
      options.onWait?.(`${open} requests are open; ${Math.max(0, Math.ceil((deadlineMs - toldAtMs) / 1000))} s of grace left`);
    },
  });
  const finished = outcome === 'ended' && (await exitedCleanly(host, record));
  const dropped = finished ? 0 : open;
  host.logger.info({ replicaId, generation, outcome, seconds: (Date.now() - askedAtMs) / 1000, dropped }, 'engine stopped');
  return dropped;
}

/** Running and waiting ones; null where the engine does not say. */
async function openRequests(driver: EngineDriver | undefined, state: EngineState): Promise<number | null> {
  const metrics = await driver?.metrics(state.endpoint).catch(() => null);
  return metrics?.running == null ? null : metrics.running + (metrics.waiting ?? 0);
}

/** An engine that finishes what it runs ends with code 0; vLLM's does. */
async function exitedCleanly(host: HostContext, state: EngineState): Promise<boolean> {
  const key = processKey(identityOf(state));
  const exit = await host.exits.get(key);
  host.exits.delete(key);
  return exit?.code === 0;
}
