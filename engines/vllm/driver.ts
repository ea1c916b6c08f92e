/** vLLM: started as its own OpenAI-compatible server, by the command that this host is configured with. */
import { engineCommand, visibleAccelerators } from '../command.ts';
import type { EngineDriver, EngineSpec } from '../driver.ts';
import { embeddingClient } from '../embeddings.ts';
import { readVllmMetrics } from '../metrics.ts';
import { streamCompletion } from '../openai.ts';
import { localModelPath, parseHubSource } from '../weights/source.ts';
import { vllmFlags } from './flags.ts';
import { probeVllm } from './probe.ts';

export interface VllmOptions {
  /**
   * What vLLM's flags are appended to. `{address}`, `{port}`, `{accelerators}` (`0,1`) and `{replica}` are replaced, for commands that run it
   * in a container. It must pass a TERM on and end when vLLM ends.
   */
  command?: readonly string[];
  /** Set for every engine. */
  env?: Readonly<Record<string, string>>;
  /** Seconds that an engine gets to finish its streams. */
  stopGraceSeconds?: number;
}

export const DEFAULT_VLLM_COMMAND = ['python', '-m', 'vllm.entrypoints.openai.api_server'] as const;

const DTYPES: Readonly<Record<string, string>> = { bf16: 'bfloat16', fp16: 'float16' };
/**
 * vLLM's own limit on finishing its requests, beyond which it aborts them without saying so. How long it gets is for the host to decide,
 * which counts what it cuts off; this only ends an engine whose host never comes back.
 */
const SHUTDOWN_TIMEOUT_SECONDS = 3600;

/** @throws invalid-input where the command is empty or has an unknown placeholder */
export function createVllmDriver(options: VllmOptions = {}): EngineDriver {
  const command = engineCommand('vLLM command', options.command ?? DEFAULT_VLLM_COMMAND, ['address', 'port', 'accelerators', 'replica']);
  return {
    kind: 'vllm',
    stopGraceSeconds: options.stopGraceSeconds ?? 30,

    async launch(spec, bind) {
      const flags = vllmFlags(spec.args);
      const accelerators = spec.accelerators.join(',');
      const values = { address: bind.address, port: String(bind.port), accelerators, replica: spec.replicaId };
      const [program, ...args] = command(values);
      return {
        command: program,
        args: [...args, ...placementFlags(spec, bind), ...defaultFlags(spec), ...flags],
        env: { ...visibleAccelerators(spec), ...options.env },
      };
    },

    probe: ({ endpoint, spec }) => probeVllm(endpoint, spec.deployment),
    metrics: readVllmMetrics,
    stream: streamCompletion,
    embeddings: embeddingClient,
  };
}

function placementFlags(spec: EngineSpec, bind: { address: string; port: number }): string[] {
  return [
    ...modelFlags(spec),
    ...['--served-model-name', ...new Set([spec.deployment, spec.model])],
    ...['--host', bind.address, '--port', String(bind.port)],
    ...(spec.tensorParallel > 1 ? ['--tensor-parallel-size', String(spec.tensorParallel)] : []),
    ...['--shutdown-timeout', String(SHUTDOWN_TIMEOUT_SECONDS)],
  ];
}

/** What the plan assumes of the engine, where the deployment's own flags say nothing else. */
function defaultFlags(spec: EngineSpec): string[] {
  const dtype = DTYPES[spec.dtype]; // a quantized checkpoint says itself what it is
  const defaults: Record<string, string | undefined> = {
    dtype,
    'max-num-seqs': String(spec.maxSequences),
    // Else the order that the gateway decides is lost in the engine's queue.
    'scheduling-policy': 'priority',
  };
  return [
    ...Object.entries(defaults).flatMap(([name, value]) => (value === undefined || name in spec.args ? [] : [`--${name}`, value])),
    // A line a request fills the disk of a host; gateways measure each one.
    ...('disable-uvicorn-access-log' in spec.args ? [] : ['--disable-uvicorn-access-log']),
  ];
}

/** A folder on this host, else what the hub calls it. */
function modelFlags(spec: EngineSpec): string[] {
  const path = localModelPath(spec);
  if (path !== null) return ['--model', path];
  const { repository, revision } = parseHubSource(spec.source);
  return ['--model', repository, ...(revision === null || 'revision' in spec.args ? [] : ['--revision', revision])];
}
