/**
 * Where a rollout stands, written at every step to three places: its row, its search attributes, and its page in Temporal's UI. Of what changes
 * while the row is being written, the newest state alone is written next. It also keeps the rollout's clock, which stands still while it is on
 * hold, and holds every stage to its deadline.
 */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { DeploymentSpec } from '../core/domain/deployment.ts';
import {
  isTerminalPhase,
  ROLLOUT_STAGES,
  type RolloutPhase,
  type RolloutStage,
  type RolloutStatus,
  type StageRecord,
  stageDeadlineSeconds,
  stagesOf,
  type TerminalPhase,
} from '../core/domain/rollout.ts';
import { reasonOf } from './compensation.ts';
import { control } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

export class StageBoard {
  readonly #rolloutId: string;
  #stages: StageRecord[] = recordsOf(ROLLOUT_STAGES);
  /** Once it is going back, or over: nothing else counts then. */
  #ending: 'rolling-back' | TerminalPhase | null = null;
  #awaitsApproval = false;
  #heldSinceMs: number | null = null;
  #heldMs = 0;
  #stage: RolloutStage = 'resolve';
  #reason = 'accepted';
  #planId: string | null = null;
  /** Ids of the workflows that do its work. */
  readonly #children: string[] = [];
  /** Ids of replicas of earlier revisions that were there still when it ended. */
  readonly leftBehind: string[] = [];
  #rollout: DeploymentSpec['rollout'] | null = null;
  /** Milliseconds that each stage has taken, without time on hold. */
  readonly #spentMs = new Map<RolloutStage, number>();

  #publishedStage: RolloutStage | null = null;
  #writing: Promise<void> = Promise.resolve();
  /** Begins once that is over. */
  #writingNext: Promise<void> | null = null;

  constructor(rolloutId: string) {
    this.#rolloutId = rolloutId;
  }

  get status(): RolloutStatus {
    return {
      phase: this.phase,
      stage: this.#stage,
      reason: this.#reason,
      stages: this.#stages.map((s) => ({ ...s })),
      planId: this.#planId,
    };
  }

  get phase(): RolloutPhase {
    if (this.#ending) return this.#ending;
    if (this.isHeld) return 'paused';
    return this.#awaitsApproval ? 'awaiting-approval' : 'running';
  }

  set planId(id: string) {
    this.#planId = id;
  }

  /** Its page links to these workflows from now on. */
  link(workflowIds: readonly string[]): void {
    this.#children.push(...workflowIds);
  }

  /** Lays out the stages of its strategy; from here on their deadlines hold. */
  follow(rollout: DeploymentSpec['rollout']): void {
    this.#rollout = rollout;
    this.#stages = recordsOf(stagesOf(rollout.strategy));
  }

  /** Nothing can be gone back on any more: what is left takes as long as it takes. */
  liftDeadlines(): void {
    this.#rollout = null;
  }

  get isHeld(): boolean {
    return this.#heldSinceMs !== null;
  }

  /** On hold no stage begins, and the clock stands still. */
  hold(): void {
    this.#heldSinceMs ??= Date.now();
  }

  letGo(): void {
    if (this.#heldSinceMs !== null) this.#heldMs += Date.now() - this.#heldSinceMs;
    this.#heldSinceMs = null;
  }

  untilGoing(): Promise<void> {
    return condition(() => !this.isHeld);
  }

  /** A clock without the time on hold, ms. */
  activeMs(): number {
    return (this.#heldSinceMs ?? Date.now()) - this.#heldMs;
  }

  get awaitsApproval(): boolean {
    return this.#awaitsApproval;
  }

  set awaitsApproval(awaits: boolean) {
    this.#awaitsApproval = awaits;
  }

  /**
   * Runs one stage and keeps its record; beyond its deadline the work is cancelled. `describe` says in one line what came of it.
   * @throws ApplicationFailure `deadline`
   */
  async run<T>(stage: RolloutStage, work: () => Promise<T>, describe: (result: T) => string = () => ''): Promise<T> {
    await this.untilGoing();
    const record = this.#record(stage);
    Object.assign(record, { state: 'running', startedAtMs: record.startedAtMs ?? Date.now(), endedAtMs: null });
    this.#stage = stage;
    this.#reason = `${stage} is running`;
    this.#publish();
    this.#write().catch(() => {}); // its work does not wait for that
    try {
      const result = await this.#withinDeadline(stage, work);
      Object.assign(record, { state: 'done', detail: describe(result) || record.detail, endedAtMs: Date.now() });
      return result;
    } catch (error) {
      Object.assign(record, { state: 'failed', detail: reasonOf(error), endedAtMs: Date.now() });
      throw error;
    }
  }

  /** Told with what comes next. */
  async skip(stage: RolloutStage, why: string): Promise<void> {
    await this.untilGoing();
    this.#pass(stage, 'skipped', why);
  }

  /** The last stage takes no time: told with the end. */
  async finish(detail: string): Promise<void> {
    await this.untilGoing();
    this.#pass('record', 'done', detail);
  }

  #pass(stage: RolloutStage, state: 'done' | 'skipped', detail: string): void {
    Object.assign(this.#record(stage), { state, detail, startedAtMs: Date.now(), endedAtMs: Date.now() });
    this.#stage = stage;
    this.#reason = detail;
  }

  /** A line on the running stage, shown with the next record. */
  note(stage: RolloutStage, detail: string): void {
    this.#record(stage).detail = detail;
    this.#publish();
  }

  /** Records where it stands and why. */
  async show(reason: string): Promise<void> {
    this.#reason = reason;
    this.#publish();
    await this.#write();
  }

  /** A line on the running stage that everybody sees now: how far what takes hours is. */
  async tell(stage: RolloutStage, detail: string): Promise<void> {
    this.note(stage, detail);
    await this.#write();
  }

  /** One after the other: an older state of things never comes over a newer one. @returns once what holds now is written */
  #write(): Promise<void> {
    this.#writingNext ??= this.#writing.then(() => {
      this.#writingNext = null;
      // What is called off is written by whoever called it off: this one goes on, short as it is.
      const written = CancellationScope.nonCancellable(() =>
        control.recordRolloutStatus.executeWithOptions({ summary: `${this.#stage}: ${this.#reason}` }, [this.#rolloutId, this.status]),
      );
      this.#writing = written.catch(() => {});
      return written;
    });
    return this.#writingNext;
  }

  /** Nothing keeps it from going back, not even that this cannot be recorded. */
  async rollBack(reason: string): Promise<void> {
    this.#ending = 'rolling-back';
    await this.show(reason).catch(() => {});
  }

  async end(phase: TerminalPhase, reason: string): Promise<RolloutStatus> {
    await (this.#writingNext ?? this.#writing).catch(() => {});
    this.#reason = reason;
    this.#ending = phase;
    this.#publish();
    upsertSearchAttributes([{ key: searchAttributes.outcome, value: phase }]);
    const left = await control.endRollout.executeWithOptions({ summary: `${phase}: ${reason}` }, [this.#rolloutId, this.status]);
    this.leftBehind.push(...(left ?? [])); // a run that an older build began gets no answer
    return this.status;
  }

  /** It was ended by somebody else already. */
  endedElsewhere(status: RolloutStatus): RolloutStatus {
    this.#reason = status.reason;
    if (isTerminalPhase(status.phase)) {
      this.#ending = status.phase;
      upsertSearchAttributes([{ key: searchAttributes.outcome, value: status.phase }]);
    }
    this.#publish();
    return status;
  }

  async #withinDeadline<T>(stage: RolloutStage, work: () => Promise<T>): Promise<T> {
    const seconds = this.#rollout ? stageDeadlineSeconds(stage, this.#rollout) : undefined;
    if (seconds === undefined) return work();
    const spentMs = this.#spentMs.get(stage) ?? 0;
    const beganMs = this.activeMs();
    const doing = new CancellationScope();
    const clock = new CancellationScope();
    let passed = false;
    clock
      .run(() => this.#until(beganMs + 1000 * seconds - spentMs))
      .then(
        () => {
          passed = true;
          doing.cancel();
        },
        () => {},
      );
    try {
      return await doing.run(work);
    } catch (error) {
      if (!passed) throw error;
      const { detail } = this.#record(stage);
      throw ApplicationFailure.nonRetryable(`${stage} took longer than its ${seconds} s${detail ? `: ${detail}` : ''}`, 'deadline');
    } finally {
      clock.cancel();
      this.#spentMs.set(stage, spentMs + this.activeMs() - beganMs);
    }
  }

  /** Until the clock shows so many ms. */
  async #until(activeMs: number): Promise<void> {
    for (;;) {
      await this.untilGoing();
      const leftMs = activeMs - this.activeMs();
      if (leftMs <= 0) return;
      await condition(() => this.isHeld, leftMs);
    }
  }

  /** One of another strategy's stages counts for nothing. */
  #record(stage: RolloutStage): StageRecord {
    return this.#stages.find((s) => s.stage === stage) ?? recordsOf([stage])[0]!;
  }

  #publish(): void {
    if (this.#publishedStage !== this.#stage) upsertSearchAttributes([{ key: searchAttributes.stage, value: this.#stage }]);
    this.#publishedStage = this.#stage;
    setCurrentDetails(this.#markdown());
  }

  #markdown(): string {
    const rows = this.#stages.map((s) => `| ${MARKS[s.state]} | ${s.stage} | ${s.detail.replaceAll('|', '/')} | ${took(s)} |`);
    const plan = this.#planId ? `\n\nPlan \`${this.#planId}\`.` : '';
    const { namespace, workflowId } = workflowInfo();
    const children = this.#children.map((id) => `[${id}](/namespaces/${namespace}/workflows/${id})`);
    const links = children.length > 0 ? `\n\nAt work: ${children.join(', ')}.` : '';
    return `**${this.phase}** at *${this.#stage}*: ${this.#reason}\n\n| | stage | what | took |\n|---|---|---|---|\n${rows.join('\n')}${plan}${links}\n\nRollout \`${this.#rolloutId}\`, workflow \`${workflowId}\`.`;
  }
}

function recordsOf(stages: readonly RolloutStage[]): StageRecord[] {
  return stages.map((stage) => ({ stage, state: 'waiting', detail: '', startedAtMs: null, endedAtMs: null }));
}

const MARKS: Record<StageRecord['state'], string> = { waiting: '·', running: '▶', done: '✓', failed: '✗', skipped: '–' };

function took({ startedAtMs, endedAtMs }: StageRecord): string {
  return startedAtMs === null || endedAtMs === null ? '' : `${((endedAtMs - startedAtMs) / 1000).toFixed(1)}\u00a0s`;
}
