/** A request as the scheduler sees it while it waits. */
import type { SloPolicy, SloTargets } from '../core/domain/slo-policy.ts';
import type { Deadlines } from '../core/scheduler/deadlines.ts';
import type { Prefix, QueuedRequest } from '../core/scheduler/types.ts';
import type { Accepted } from './accepted.ts';

const NOBODY: ReadonlySet<string> = new Set();

export class Queued implements QueuedRequest {
  readonly accepted: Accepted;
  avoid: ReadonlySet<string> = NOBODY;
  readonly predictedOutput: QueuedRequest['predictedOutput'];
  /** While it waits; what an attempt has produced is its reservation's. */
  readonly producedTokens = 0;
  deployment: string;

  constructor(accepted: Accepted) {
    this.accepted = accepted;
    this.deployment = accepted.deployment;
    const { p50, p90 } = accepted.prediction;
    const { choices } = accepted.request;
    this.predictedOutput = { p50: p50 * choices, p90: p90 * choices };
  }

  get id(): string {
    return this.accepted.id;
  }
  get class(): string {
    return this.accepted.class;
  }
  get tenant(): string {
    return this.accepted.tenant;
  }
  get tenantWeight(): number {
    return this.accepted.tenantWeight;
  }
  get priority(): number {
    return this.accepted.policy.priority;
  }
  get arrivalMs(): number {
    return this.accepted.arrivalMs;
  }
  get targets(): SloTargets {
    return this.accepted.targets;
  }
  get deadlines(): Deadlines {
    return this.accepted.deadlines;
  }
  get queue(): SloPolicy['queue'] {
    return this.accepted.policy.queue;
  }
  get inputTokens(): number {
    return this.accepted.inputTokens;
  }
  get prefix(): Prefix | null {
    return this.accepted.prefix;
  }
  get explain(): boolean {
    return this.accepted.explain;
  }
  get alternatives(): readonly string[] {
    return this.accepted.alternatives;
  }
}
