/** vLLM: started as its own OpenAI-compatible server, by the command that this host is configured with. */
import { fileURLToPath } from 'node:url';
import { findAcceleratorKind } from '../../core/domain/accelerators.ts';
import { UellmError } from '../../core/domain/errors.ts';
import type { EngineDriver, EngineSpec } from '../driver.ts';
import { readVllmMetrics } from '../metrics.ts';
import { probeReady } from '../openai.ts';
import { vllmFlags } from './flags.ts';

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
  const command = checkCommand(options.command ?? DEFAULT_VLLM_COMMAND);
  return {
    kind: 'vllm',
    stopGraceSeconds: options.stopGraceSeconds ?? 30,

    async launch(spec, bind) {
      const flags = vllmFlags(spec.args);
      const accelerators = spec.accelerators.join(',');
      const values = { address: bind.address, port: String(bind.port), accelerators, replica: spec.replicaId };
      const [program, ...args] = command.map((word) => word.replace(PLACEHOLDER, (_, name: PlaceholderName) => values[name]));
      return {
        command: program!,
        args: [...args, ...placementFlags(spec, bind), ...defaultFlags(spec), ...flags],
        env: { ...visibleAccelerators(spec), ...options.env },
      };
    },

    probe: ({ endpoint, spec }) => probeReady(endpoint, spec.deployment),
    metrics: readVllmMetrics,
  };
}

function placementFlags(spec: EngineSpec, bind: { address: string; port: number }): string[] {
  return [
    ...['--model', modelOf(spec.source)],
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

/** `hf://owner/name` as the hub's id, `file:///path` as a path. */
function modelOf(source: string): string {
  return source.startsWith('hf://') ? source.slice('hf://'.length) : fileURLToPath(source);
}

/** Numbered as the vendors' tools number them, not fastest first. AMD's runtime has a variable of its own; vLLM wants both to agree there. */
function visibleAccelerators(spec: EngineSpec): Record<string, string> {
  const indexes = spec.accelerators.join(',');
  const amd = findAcceleratorKind(spec.acceleratorKind)?.vendor === 'AMD';
  return { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: indexes, ...(amd ? { HIP_VISIBLE_DEVICES: indexes } : {}) };
}

type PlaceholderName = 'address' | 'port' | 'accelerators' | 'replica';
const PLACEHOLDER = /\{(address|port|accelerators|replica)\}/g;

function checkCommand(command: readonly string[]): readonly string[] {
  const unknown = command
    .join(' ')
    .replace(PLACEHOLDER, '')
    .match(/\{[a-z]+\}/)?.[0];
  if (command[0] && !unknown) return command;
  const allowed = 'a command with the placeholders {address}, {port}, {accelerators}, {replica} or none';
  const issue = { field: 'command', given: unknown ?? JSON.stringify(command), allowed };
  throw new UellmError({ kind: 'invalid-input', what: 'vLLM command', issues: [issue] });
}
