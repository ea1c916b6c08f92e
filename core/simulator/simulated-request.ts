/** A request of a trace as the scheduler and the engine see it, and what became of it. */
import { DEFAULT_TENANT, DEFAULT_WEIGHT, type SloPolicy, type SloTargets } from '../domain/slo-policy.ts';
import type { Deadlines } from '../scheduler/deadlines.ts';
import type { Prefix, QueuedRequest } from '../scheduler/types.ts';
import type { EngineRequest, Sequence } from './engine-state.ts';

/** `failed`: its engine died after its first token, or each one that it was tried on. */
export type Outcome = 'pending' | 'served' | 'shed' | 'rejected' | 'failed';

const AVOID_NONE: ReadonlySet<string> = new Set();

export class SimulatedRequest implements QueuedRequest, EngineRequest {
  readonly id: string;
  readonly deployment = 'simulated';
  readonly class: string;
  readonly tenant: string;
  readonly tenantWeight: number;
  /** As the scheduler knows it: higher is more urgent. An engine is told the negative, since there lower goes sooner. */
  readonly priority: number;
  readonly arrivalMs: number;
  readonly targets: SloTargets;
  readonly queue: SloPolicy['queue'];
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly prefixBlocks: readonly (string | number)[] | undefined;
  readonly prefix: Prefix | null;
  /** Engines that have refused it. */
  avoid: ReadonlySet<string> = AVOID_NONE;
  readonly explain = false;
  predictedOutput = { p50: 1, p90: 1 };
  deadlines: Deadlines = { firstTokenMs: 0, endMs: 0 };

  sequence: Sequence<SimulatedRequest> | null = null;
  /** Output tokens so far, in an engine that batches continuously. */
  get producedTokens(): number {
    return this.sequence ? this.sequence.generatedTokens : this.producedInBatch;
  }
  /** And in one that batches statically. */
  producedInBatch = 0;
  outcome: Outcome = 'pending';
  /** Index of the replica that served it; -1 before. */
  replica = -1;
  releasedMs = Number.NaN;
  firstTokenMs = Number.NaN;
  endMs = Number.NaN;

  constructor(parts: {
    id: string;
    class: string;
    priority: number;
    arrivalMs: number;
    targets: SloTargets;
    queue: SloPolicy['queue'];
    inputTokens: number;
    outputTokens: number;
    prefix: Prefix | null;
    /** Traces know none: all are one tenant's. */
    tenant?: string;
    tenantWeight?: number;
  }) {
    this.id = parts.id;
    this.class = parts.class;
    this.tenant = parts.tenant ?? DEFAULT_TENANT;
    this.tenantWeight = parts.tenantWeight ?? DEFAULT_WEIGHT;
    this.priority = parts.priority;
    this.arrivalMs = parts.arrivalMs;
    this.targets = parts.targets;
    this.queue = parts.queue;
    this.inputTokens = parts.inputTokens;
    this.outputTokens = parts.outputTokens;
    this.prefix = parts.prefix;
    this.prefixBlocks = parts.prefix?.blocks;
  }

  get ttftMs(): number {
    return this.firstTokenMs - this.arrivalMs;
  }
  get e2eMs(): number {
    return this.endMs - this.arrivalMs;
  }
  /** Mean over the output tokens after the first; NaN for a single one. */
  get tpotMs(): number {
    return this.outputTokens > 1 ? (this.endMs - this.firstTokenMs) / (this.outputTokens - 1) : Number.NaN;
  }

  /** Did it meet every target of its class? */
  get attained(): boolean {
    const { ttftMs, tpotMs, e2eMs } = this.targets;
    if (this.outcome !== 'served') return false;
    if (ttftMs !== undefined && this.ttftMs > ttftMs) return false;
    if (tpotMs !== undefined && this.tpotMs > tpotMs) return false;
    return e2eMs === undefined || this.e2eMs <= e2eMs;
  }
}
