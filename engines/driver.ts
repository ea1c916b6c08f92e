/**
 * Engines: the inference servers that replicas are. One interface, `EngineDriver`; a folder for each kind. `host.ts` runs the engines
 * of one host: it keeps their state on the host's own disk, fences by generation, adopts what outlived the host worker.
 */
import type { EngineKind } from '../core/domain/deployment.ts';
import type { ModelShape } from '../core/domain/model-spec.ts';
import type { StepTimeCoefficients } from '../core/domain/step-time.ts';

/** All that a host needs to know to run one replica's engine. Plain JSON: it travels in activity arguments and lies in state files. */
export interface EngineSpec {
  replicaId: string;
  generation: number;
  host: string;
  engine: EngineKind;
  /** The engine answers to both names in a request's `model`. */
  deployment: string;
  model: string;
  /** `hf://owner/name` or `file:///path`. */
  source: string;
  dtype: string;
  shape: ModelShape;
  accelerators: number[];
  acceleratorKind: string;
  tensorParallel: number;
  /** The deployment's own engine flags, without leading dashes. */
  args: Record<string, string | number | boolean>;
  /** What is expected of its steps; a simulated engine takes its timing from it. */
  stepTime: StepTimeCoefficients;
  /** Tokens that the KV cache is expected to hold. */
  kvCacheTokens: number;
  maxSequences: number;
}

/** A launched engine, as its state file on the host keeps it. */
export interface EngineState {
  spec: EngineSpec;
  pid: number;
  /** The kernel's start time of that pid: a recycled pid has another. */
  processStartTime: string;
  endpoint: string;
  startedAtMs: number;
  logFile: string;
}

export type EngineHealth = { state: 'ready' } | { state: 'loading'; detail: string } | { state: 'exited'; detail: string };

/** Read from an engine's own metrics, whatever its dialect. */
export interface EngineMetrics {
  running: number;
  waiting: number;
  /** 0 to 1. */
  kvCacheUsage: number;
  /** Counters since the engine started. */
  preemptions: number;
  promptTokens: number;
  generationTokens: number;
  requestsFinished: number;
  /** Tokens that the KV cache holds, where the engine says. */
  kvCacheTokens: number | null;
}

export interface LaunchCommand {
  command: string;
  args: string[];
  env: Record<string, string>;
}

export interface EngineDriver {
  readonly kind: EngineKind;
  /** The command of an engine process that listens on `port` of loopback (or the address that hosts are configured with). */
  launch(spec: EngineSpec, bind: { address: string; port: number }): Promise<LaunchCommand>;
  /** Asks a running engine process whether it serves yet. */
  probe(state: EngineState): Promise<EngineHealth>;
  metrics(endpoint: string): Promise<EngineMetrics>;
  /** Seconds between a polite end and a kill: long enough for its longest stream. */
  readonly stopGraceSeconds: number;
}
