/**
 * The engines of one host. It starts, adopts and stops them by (replica, generation): what is asked twice happens once, what is older than
 * the host already knows is refused, and all of it lies on the host's own disk (state-files.ts), so that the next host worker goes on where
 * this one ended. Engines outlive it. Two workers may share the directory for a while, the old one not quite dead: they take turns.
 */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { conflict, messageOf, notFound, UellmError } from '../core/domain/errors.ts';
import type { LogTail } from '../core/domain/log-tail.ts';
import type { MemoryCheck } from './accelerator-memory.ts';
import type { EngineDriver, EngineHealth, EngineSpec, EngineState } from './driver.ts';
import { type EndOptions, endEngine } from './end-engine.ts';
import { isLocked, withLock } from './file-lock.ts';
import { driverFor, type HostContext, identityOf, isLive, processKey } from './host-context.ts';
import { launchEngine } from './launch-engine.ts';
import { lastLogLines, newestLog } from './log-files.ts';
import { sweepOrphans } from './orphans.ts';
import { outOfMemoryLine } from './out-of-memory.ts';
import { type EngineRecord, isLaunched, openStateFiles } from './state-files.ts';

export interface EngineHostOptions {
  /** This host's own folder, on a local disk: state, locks and logs. */
  directory: string;
  drivers: readonly EngineDriver[];
  /** Where engines listen and gateways find them; 127.0.0.1 by default, never a wildcard. */
  address?: string;
  /** What engines inherit, less our own variables; this process's by default. */
  env?: NodeJS.ProcessEnv;
  logger?: Logger;
  /** How much of the accelerators' memory is in use; without it the records of this host alone say what is free. */
  memory?: MemoryCheck;
}

export interface EngineReport {
  replicaId: string;
  generation: number;
  endpoint: string;
  state: 'running' | 'exited';
  detail: string;
}

export type EngineHost = ReturnType<typeof createEngineHost>;

/** `list` looks for orphans in passing, this often at most. */
const SWEEP_EVERY_MS = 10_000;
/** An engine of several processes goes on writing after the one that ran out of memory: so far back is looked for its words. */
const CAUSE_LINES = 1000;
const CAUSE_BYTES = 128 * 1024;

export function createEngineHost(options: EngineHostOptions) {
  const logger = options.logger ?? pino({ name: 'engines' });
  const host: HostContext = {
    files: openStateFiles(options.directory, logger),
    drivers: options.drivers,
    logger,
    address: reachable(options.address ?? '127.0.0.1'),
    env: options.env ?? process.env,
    exits: new Map(),
    memory: options.memory,
  };
  const { files } = host;
  let sweptAtMs = 0;

  return { start, reload, health, stop, list, log, stopAll };

  /**
   * Starts an engine, or finds it running: then that one is returned, whoever launched it. One that has exited is launched again, on
   * another port. A newer generation ends the older one first, within its grace.
   * @returns once the process runs; `health` tells when it serves
   * @throws stale-generation; conflict where this generation was stopped, or an accelerator is held by another engine or
   *   its memory by anyone; engine-failed where the command cannot be run; invalid-input
   */
  async function start(spec: EngineSpec, wait: Omit<EndOptions, 'graceSeconds'> = {}): Promise<EngineState> {
    const { replicaId, generation } = spec;
    driverFor(host, spec);
    return exclusively(replicaId, wait, async () => {
      await refuseEnded(replicaId, generation);
      const record = await files.readRecord(replicaId);
      if (record?.spec.generation === generation && isLive(record)) return record;
      // First of all: a command of the older generation that is still on its way must find it closed.
      await files.writeFence(replicaId, { generation, stopped: false });
      if (record) await endEngine(host, record, wait);
      await sweepOrphans(host, { held: replicaId });
      return launchEngine(host, spec, wait);
    });
  }

  /**
   * Makes a running engine serve a newer generation without a moment in which it serves none: the new is loaded beside the old, takes the
   * requests from then on, and the old goes when its last request has ended. What was done before is not done again. The accelerators must
   * have room for both. Starts and stops of the replica wait until it is over.
   * @returns once the new generation serves
   * @throws stale-generation; not-found where no engine runs; conflict where it takes another process; engine-failed where the new generation
   *   cannot be loaded: the old one goes on serving, as its own generation
   */
  async function reload(spec: EngineSpec, wait: Omit<EndOptions, 'graceSeconds'> = {}): Promise<EngineState> {
    const { replicaId, generation } = spec;
    const driver = driverFor(host, spec);
    return exclusively(replicaId, wait, async () => {
      await refuseEnded(replicaId, generation);
      const record = await files.readRecord(replicaId);
      if (!record || !isLive(record)) throw notFound('engine', replicaId);
      if (record.spec.generation === generation) return record;
      if (!driver.reload || !fitsProcess(record.spec, spec)) {
        throw conflict(
          'replica',
          replicaId,
          `generation ${generation} cannot be loaded into the process of ${record.spec.generation}; start it`,
        );
      }
      await driver.reload(record, spec, wait.signal);
      // After the load, unlike at a start: one that fails leaves the older generation in force. Nobody else is at this replica meanwhile.
      await files.writeFence(replicaId, { generation, stopped: false });
      const reloaded = { ...record, spec, launchedGeneration: record.launchedGeneration ?? record.spec.generation };
      await files.writeRecord(reloaded);
      logger.info({ replicaId, generation, pid: record.pid }, 'engine reloaded');
      return reloaded;
    });
  }

  /** Does the engine serve? @throws not-found for a replica that has no engine here */
  async function health(replicaId: string): Promise<EngineHealth> {
    const record = await files.readRecord(replicaId);
    if (!record) throw notFound('engine', replicaId);
    if (isLive(record)) return driverFor(host, record.spec).probe(record);
    if (await isBeingLaunched(record)) return { state: 'loading', detail: 'it is being launched' };
    return { state: 'exited', detail: await lastWords(record, 15) };
  }

  /**
   * Ends an engine, and this generation and all older ones for good: none of them starts again. Stopping what is stopped, or was never here,
   * does nothing else.
   * @throws stale-generation; the signal's reason when it aborts, and the engine goes on ending
   */
  async function stop(replicaId: string, generation: number, end: EndOptions = {}): Promise<{ requestsDropped: number }> {
    return exclusively(replicaId, end, async () => {
      await refuseStale(replicaId, generation);
      await files.writeFence(replicaId, { generation, stopped: true });
      const record = await files.readRecord(replicaId);
      const requestsDropped = record ? await endEngine(host, record, end) : 0;
      await sweepOrphans(host, { held: replicaId });
      await files.removeRecord(replicaId);
      return { requestsDropped };
    });
  }

  /** Every engine launched here and not yet stopped. */
  async function list(): Promise<EngineReport[]> {
    sweepNowAndThen();
    return Promise.all((await files.listRecords()).map(report));
  }

  /** The end of what a replica's newest engine wrote, also after it has ended. @throws not-found where no log of it is left */
  async function log(replicaId: string, lines: number, tailBytes: number): Promise<LogTail> {
    const source = await newestLog(files.logDirectory, replicaId);
    if (source === null) throw notFound('log of replica', replicaId);
    return { source, lines: await lastLogLines(join(files.logDirectory, source), lines, tailBytes) };
  }

  /** Ends every engine of this host at once. @throws AggregateError of what could not be stopped */
  async function stopAll(end: EndOptions = {}): Promise<void> {
    const records = await files.listRecords();
    const results = await Promise.allSettled(records.map(({ spec }) => stop(spec.replicaId, spec.generation, end)));
    await sweepOrphans(host);
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '));
  }

  function exclusively<T>(replicaId: string, { signal, onWait }: EndOptions, work: () => Promise<T>): Promise<T> {
    return withLock(files.lockFile(replicaId), work, { signal, onWait: () => onWait?.('another worker is at this replica') });
  }

  async function refuseStale(replicaId: string, given: number) {
    const fence = await files.readFence(replicaId);
    if (given < fence.generation) throw new UellmError({ kind: 'stale-generation', replicaId, given, current: fence.generation });
    return fence;
  }

  async function refuseEnded(replicaId: string, generation: number): Promise<void> {
    const fence = await refuseStale(replicaId, generation);
    if (!fence.stopped || fence.generation !== generation) return;
    throw conflict('replica', replicaId, `generation ${generation} was stopped on this host; it starts again as a newer one`);
  }

  async function isBeingLaunched(record: EngineRecord): Promise<boolean> {
    return !isLaunched(record) && isLocked(files.lockFile(record.spec.replicaId));
  }

  async function report(record: EngineRecord): Promise<EngineReport> {
    const { spec, endpoint } = record;
    const about = { replicaId: spec.replicaId, generation: spec.generation, endpoint };
    if (isLive(record))
      return { ...about, state: 'running', detail: `pid ${record.pid} since ${new Date(record.startedAtMs).toISOString()}` };
    if (await isBeingLaunched(record)) return { ...about, state: 'running', detail: 'it is being launched' };
    return { ...about, state: 'exited', detail: await lastWords(record, 1) };
  }

  async function lastWords(record: EngineRecord, lines: number): Promise<string> {
    if (!isLaunched(record)) return 'its launch was interrupted';
    // The kernel may show it as gone a moment before we are told how it went.
    const exit = await Promise.race([host.exits.get(processKey(identityOf(record))), delay(1000)]);
    const how = exit ? `exited with ${exit.signal ?? `code ${exit.code}`}` : 'exited';
    const log = await lastLogLines(record.logFile, lines);
    const cause = outOfMemoryLine((await lastLogLines(record.logFile, CAUSE_LINES, CAUSE_BYTES)).join('\n'));
    const after = cause !== null && !log.includes(cause) ? ` after: ${cause}` : '';
    return `${how}${after}; its log ends with:\n${log.join('\n') || '(nothing)'}`;
  }

  function sweepNowAndThen(): void {
    if (Date.now() - sweptAtMs < SWEEP_EVERY_MS) return;
    sweptAtMs = Date.now();
    sweepOrphans(host, { atMostOldMs: SWEEP_EVERY_MS }).catch((error: unknown) =>
      logger.warn({ error: messageOf(error) }, 'looking for orphaned engines failed'),
    );
  }
}

/** What a process is started with and cannot change. */
function fitsProcess(old: EngineSpec, { engine, deployment, accelerators }: EngineSpec): boolean {
  return old.engine === engine && old.deployment === deployment && old.accelerators.join() === accelerators.join();
}

function reachable(address: string): string {
  if (address !== '0.0.0.0' && address !== '::') return address;
  const issue = { field: 'address', given: JSON.stringify(address), allowed: 'an address at which gateways reach this host' };
  throw new UellmError({ kind: 'invalid-input', what: 'engine host', issues: [issue] });
}
