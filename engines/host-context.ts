/** What the parts of an engine host share. */
import type { Logger } from 'pino';
import type { EngineKind } from '../core/domain/deployment.ts';
import { UellmError } from '../core/domain/errors.ts';
import type { MemoryCheck } from './accelerator-memory.ts';
import type { EngineDriver, EngineSpec, EngineState } from './driver.ts';
import type { ProcessExit } from './process.ts';
import { isRunning, type ProcessIdentity } from './process-identity.ts';
import { type EngineRecord, isLaunched, type StateFiles } from './state-files.ts';

export interface HostContext {
  files: StateFiles;
  drivers: readonly EngineDriver[];
  logger: Logger;
  /** Where engines listen, and where gateways find them. */
  address: string;
  /** Environment that engines inherit from. */
  env: NodeJS.ProcessEnv;
  /** How the engines that this process itself launched have ended or will, by `processKey`. */
  exits: Map<string, Promise<ProcessExit>>;
  /** undefined where this host has no way to look: records alone decide. */
  memory: MemoryCheck | undefined;
}

/** @throws invalid-input where this host has no driver for the replica's engine */
export function driverFor(host: HostContext, spec: EngineSpec): EngineDriver {
  const driver = driverOfKind(host.drivers, spec.engine);
  if (driver) return driver;
  const allowed = `one of ${host.drivers.map((d) => JSON.stringify(d.kind)).join(', ')}`;
  throw new UellmError({
    kind: 'invalid-input',
    what: `engine of replica ${spec.replicaId}`,
    issues: [{ field: 'engine', given: JSON.stringify(spec.engine), allowed }],
  });
}

export function driverOfKind(drivers: readonly EngineDriver[], kind: EngineKind): EngineDriver | undefined {
  return drivers.find((driver) => driver.kind === kind);
}

export function identityOf(state: EngineState): ProcessIdentity {
  return { pid: state.pid, startTime: state.processStartTime };
}

export function processKey(identity: ProcessIdentity): string {
  return `${identity.pid}/${identity.startTime}`;
}

/** Is this record's engine a process that runs now? */
export function isLive(record: EngineRecord): record is EngineState & EngineRecord {
  return isLaunched(record) && isRunning(identityOf(record));
}
