/**
 * Triton: one server a replica, with a model repository of its own and nothing loaded as it starts. The model is loaded through the server's
 * API, by the first look at it, and so are newer generations of it beside the older one.
 */
import { join } from 'node:path';
import { messageOf, UellmError } from '../../core/domain/errors.ts';
import { engineCommand, visibleAccelerators } from '../command.ts';
import type { EngineDriver, EngineHealth, EngineSpec, EngineState } from '../driver.ts';
import { lastLogLines } from '../log-files.ts';
import { METRICS_PORT_OFFSET } from './endpoint.ts';
import { streamGenerate } from './generate.ts';
import { readTritonMetrics } from './metrics.ts';
import { modelConfig } from './model-config.ts';
import { addVersion, removeVersion, showVersion, writeRepository } from './repository.ts';
import { loadModel, type ModelVersion, modelVersions, probeLive } from './server.ts';

export interface TritonOptions {
  /** Where the repositories of this host's servers are kept, one a replica. */
  directory: string;
  /**
   * What Triton's flags are appended to. `{address}`, `{port}`, `{accelerators}` (`0,1`), `{replica}` and `{repository}` are replaced, for
   * commands that run it in a container. It must pass a TERM on and end when Triton ends.
   */
  command?: readonly string[];
  /** Set for every engine. */
  env?: Readonly<Record<string, string>>;
  /** Seconds that a server gets to finish its streams. */
  stopGraceSeconds?: number;
  /** Seconds after which a model that still loads has failed: a backend's process that cannot start leaves it loading for ever. */
  loadTimeoutSeconds?: number;
}

export const DEFAULT_TRITON_COMMAND = ['tritonserver'] as const;

/** As for vLLM: how long requests may finish is the host's to decide; this only ends a server whose host never comes back. */
const EXIT_TIMEOUT_SECONDS = 3600;
const LOAD_TIMEOUT_SECONDS = 1800;
const LOG_LINES = 8;

/** @throws invalid-input where the command is empty or has an unknown placeholder */
export function createTritonDriver(options: TritonOptions): EngineDriver {
  const names = ['address', 'port', 'accelerators', 'replica', 'repository'] as const;
  const command = engineCommand('Triton command', options.command ?? DEFAULT_TRITON_COMMAND, names);
  const loadTimeoutMs = (options.loadTimeoutSeconds ?? LOAD_TIMEOUT_SECONDS) * 1000;
  const repositoryOf = ({ replicaId }: EngineSpec) => join(options.directory, replicaId);
  /** Loads that this process has asked for, by launch: null while one is under way, else why it failed. */
  const asked = new Map<string, string | null>();

  return {
    kind: 'triton',
    stopGraceSeconds: options.stopGraceSeconds ?? 30,
    portOffsets: [METRICS_PORT_OFFSET],

    async launch(spec, { address, port }) {
      const repository = repositoryOf(spec);
      await writeRepository(repository, spec);
      const values = { address, port: String(port), accelerators: spec.accelerators.join(','), replica: spec.replicaId, repository };
      const [program, ...args] = command(values);
      return {
        command: program,
        args: [...args, ...serverFlags(repository, address, port)],
        env: { ...visibleAccelerators(spec), ...options.env },
      };
    },

    async probe(state) {
      try {
        await probeLive(state.endpoint);
        const versions = await modelVersions(state.endpoint, state.spec.deployment);
        const health = healthOf(versions) ?? askToLoad(state);
        if (health.state !== 'loading' || Date.now() - state.startedAtMs < loadTimeoutMs) return health;
        return await neverLoaded(state, health.detail);
      } catch (error) {
        return { state: 'loading', detail: messageOf(error) };
      }
    },

    async reload(state, spec, signal) {
      const { endpoint } = state;
      const repository = repositoryOf(spec);
      // It may not answer before a load that was asked for earlier, and given up, is over.
      const timeout = AbortSignal.timeout(loadTimeoutMs);
      const known = await modelVersions(endpoint, spec.deployment, signal ? AbortSignal.any([signal, timeout]) : timeout);
      if (!known.some(({ version, state }) => version === spec.generation && state === 'READY')) {
        // One that was just started is about to be asked for its own version, by the first look at it: the later load would win.
        if (!known.some((v) => v.state === 'READY'))
          throw new UellmError({ kind: 'unavailable', what: spec.replicaId, reason: 'it serves nothing yet that could be reloaded' });
        await addVersion(repository, spec);
        const failure = await loadWithin(loadTimeoutMs, endpoint, spec, signal);
        if (failure !== null) {
          await removeVersion(repository, spec.deployment, spec.generation);
          throw new UellmError({
            kind: 'engine-failed',
            replicaId: spec.replicaId,
            reason: `${failure}; what it served before it still serves`,
          });
        }
      }
      await showVersion(repository, spec);
    },

    metrics: readTritonMetrics,
    stream: streamGenerate,
  };

  function askToLoad(state: EngineState): EngineHealth {
    const { endpoint, spec, pid, processStartTime } = state;
    const launch = `${pid}/${processStartTime}`;
    const failure = asked.get(launch);
    if (failure) return { state: 'failed', detail: failure };
    if (failure === undefined) {
      asked.set(launch, null);
      loadWithin(loadTimeoutMs, endpoint, spec).then(
        (reason) => (reason === null ? asked.delete(launch) : asked.set(launch, reason)),
        () => asked.delete(launch), // the server does not answer; the next look asks again
      );
    }
    return { state: 'loading', detail: `${spec.deployment} is being loaded` };
  }

  async function neverLoaded({ logFile }: EngineState, detail: string): Promise<EngineHealth> {
    const log = (await lastLogLines(logFile, LOG_LINES)).join('\n');
    return { state: 'failed', detail: `it has not loaded within ${loadTimeoutMs / 1000} s (${detail}); its log ends with:\n${log}` };
  }
}

function serverFlags(repository: string, address: string, port: number): string[] {
  return [
    ...[`--model-repository=${repository}`, '--model-control-mode=explicit'],
    ...[`--http-address=${address}`, `--http-port=${port}`, `--metrics-address=${address}`, `--metrics-port=${port + METRICS_PORT_OFFSET}`],
    ...['--allow-grpc=false', `--exit-timeout-secs=${EXIT_TIMEOUT_SECONDS}`],
  ];
}

/** What the server's index says; null where nothing is loaded, and nobody has tried. */
function healthOf(versions: readonly ModelVersion[]): EngineHealth | null {
  const named = (state: ModelVersion['state']) => versions.findLast((v) => v.state === state);
  if (named('READY')) return { state: 'ready' };
  const moving = named('LOADING') ?? named('UNLOADING');
  if (moving) return { state: 'loading', detail: `version ${moving.version} is ${moving.state}` };
  const failed = versions.findLast((v) => v.state === 'UNAVAILABLE' && v.reason !== 'unloaded');
  return failed ? { state: 'failed', detail: failed.reason } : null;
}

/** @returns why it could not be loaded, or null. @throws unavailable; the caller's signal's reason */
async function loadWithin(timeoutMs: number, endpoint: string, spec: EngineSpec, signal?: AbortSignal): Promise<string | null> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await loadModel(endpoint, spec.deployment, modelConfig(spec), signal ? AbortSignal.any([signal, timeout]) : timeout);
  } catch (error) {
    if (timeout.aborted) return `it has not loaded within ${timeoutMs / 1000} s`;
    throw error;
  }
}
