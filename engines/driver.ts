/**
 * Engines: the inference servers that replicas are. One interface, `EngineDriver`; a folder for each kind. `host.ts` runs the engines
 * of one host: it keeps their state on the host's own disk, fences by generation, adopts what outlived the host worker.
 */
import type { EngineKind } from '../core/domain/deployment.ts';
import type { ModelShape } from '../core/domain/model-spec.ts';
import type { StepTimeCoefficients } from '../core/domain/step-time.ts';
import type { EmbeddingClient } from './embeddings.ts';
import type { CompletionRequest, StreamedCompletion } from './openai.ts';

/** All that a host needs to know to run one replica's engine. Plain JSON: it travels in activity arguments and lies in state files. */
export interface EngineSpec {
  replicaId: string;
  generation: number;
  host: string;
  engine: EngineKind;
  /** The engine answers to both names in a request's `model`. */
  deployment: string;
  model: string;
  /** `hf://owner/name`, `hf://owner/name@revision` or `file:///path`. */
  source: string;
  /** Folder of this host's cache with the weights; the host sets it as it launches the engine (weights/source.ts: localModelPath). */
  weightsPath?: string;
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
  /** The generation that its process was launched as, where it was reloaded since; its spec's where absent. */
  launchedGeneration?: number;
  /** The kernel's start time of that pid: a recycled pid has another. */
  processStartTime: string;
  endpoint: string;
  startedAtMs: number;
  logFile: string;
}

/** `failed`: its process runs, and will never serve. */
export type EngineHealth = { state: 'ready' } | { state: 'loading' | 'failed' | 'exited'; detail: string };

/** Read from an engine's own metrics, whatever its dialect; null for what the engine does not tell. */
export interface EngineMetrics {
  running: number | null;
  waiting: number | null;
  /** 0 to 1. */
  kvCacheUsage: number | null;
  /** Counters since the engine started. */
  preemptions: number | null;
  promptTokens: number | null;
  generationTokens: number | null;
  requestsFinished: number | null;
  /** Tokens that the KV cache holds. */
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
  /**
   * Streams one answer to its end; the request's `model` is the deployment's name.
   * @throws unavailable where the engine refuses it, reports an error, or breaks off
   */
  stream(endpoint: string, request: CompletionRequest): Promise<StreamedCompletion>;
  /** For engines that may embed instead of generating. */
  readonly embeddings?: EmbeddingClient;
  /**
   * Loads what `spec` says beside what the engine serves, and lets that finish and go once the new serves. Absent where an engine cannot:
   * then another generation is started. Asked twice it loads once.
   * @throws engine-failed where it cannot be loaded: then the engine serves what it did before
   */
  reload?(state: EngineState, spec: EngineSpec, signal?: AbortSignal): Promise<void>;
  /** An engine that listens on more ports than its endpoint's: how far above that one each lies. */
  readonly portOffsets?: readonly number[];
  /** Seconds between a polite end and a kill: long enough for its longest stream. */
  readonly stopGraceSeconds: number;
}
