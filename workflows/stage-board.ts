/** Where a rollout stands, written at every step to three places: its row, its search attributes, and its page in Temporal's UI. */
import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { ROLLOUT_STAGES, type RolloutPhase, type RolloutStage, type RolloutStatus, type StageRecord } from '../core/domain/rollout.ts';
import { reasonOf } from './compensation.ts';
import { control } from './proxies.ts';
import { searchAttributes } from './search-attributes.ts';

export class StageBoard {
  readonly #rolloutId: string;
  readonly #stages: StageRecord[] = ROLLOUT_STAGES.map((stage) => ({
    stage,
    state: 'waiting',
    detail: '',
    startedAtMs: null,
    endedAtMs: null,
  }));
  #phase: RolloutPhase = 'running';
  #stage: RolloutStage = 'resolve';
  #reason = 'accepted';
  #planId: string | null = null;
  #before: () => Promise<void> = async () => {};

  constructor(rolloutId: string) {
    this.#rolloutId = rolloutId;
  }

  get status(): RolloutStatus {
    return {
      phase: this.#phase,
      stage: this.#stage,
      reason: this.#reason,
      stages: this.#stages.map((s) => ({ ...s })),
      planId: this.#planId,
    };
  }

  get phase(): RolloutPhase {
    return this.#phase;
  }

  set planId(id: string) {
    this.#planId = id;
  }

  /** Runs before every stage: the place to wait while a rollout is paused. */
  beforeEachStage(gate: () => Promise<void>): void {
    this.#before = gate;
  }

  /** Runs one stage and keeps its record. `describe` says in one line what came of it. */
  async run<T>(stage: RolloutStage, work: () => Promise<T>, describe: (result: T) => string = () => ''): Promise<T> {
    await this.#before();
    const record = this.#record(stage);
    Object.assign(record, { state: 'running', startedAtMs: record.startedAtMs ?? Date.now(), endedAtMs: null });
    this.#stage = stage;
    await this.show(`${stage} is running`);
    try {
      const result = await work();
      Object.assign(record, { state: 'done', detail: describe(result) || record.detail, endedAtMs: Date.now() });
      return result;
    } catch (error) {
      Object.assign(record, { state: 'failed', detail: reasonOf(error), endedAtMs: Date.now() });
      throw error;
    }
  }

  async skip(stage: RolloutStage, why: string): Promise<void> {
    await this.#before();
    Object.assign(this.#record(stage), { state: 'skipped', detail: why, startedAtMs: Date.now(), endedAtMs: Date.now() });
    this.#stage = stage;
    await this.show(why);
  }

  /** A line on the running stage, shown with the next record. */
  note(stage: RolloutStage, detail: string): void {
    this.#record(stage).detail = detail;
    this.#publish();
  }

  /** Records where it stands and why. */
  async show(reason: string, phase: RolloutPhase = this.#phase): Promise<void> {
    this.#reason = reason;
    this.#phase = phase;
    this.#publish();
    await control.recordRolloutStatus.executeWithOptions({ summary: `${this.#stage}: ${reason}` }, [this.#rolloutId, this.status]);
  }

  async end(phase: 'succeeded' | 'failed' | 'rolled-back', reason: string): Promise<RolloutStatus> {
    this.#reason = reason;
    this.#phase = phase;
    this.#publish();
    upsertSearchAttributes([{ key: searchAttributes.outcome, value: phase }]);
    await control.endRollout.executeWithOptions({ summary: `${phase}: ${reason}` }, [this.#rolloutId, this.status]);
    return this.status;
  }

  #record(stage: RolloutStage): StageRecord {
    return this.#stages[ROLLOUT_STAGES.indexOf(stage)]!;
  }

  #publish(): void {
    upsertSearchAttributes([{ key: searchAttributes.stage, value: this.#stage }]);
    setCurrentDetails(this.#markdown());
  }

  #markdown(): string {
    const rows = this.#stages.map((s) => `| ${MARKS[s.state]} | ${s.stage} | ${s.detail.replaceAll('|', '/')} | ${took(s)} |`);
    const plan = this.#planId ? `\n\nPlan \`${this.#planId}\`.` : '';
    return `**${this.#phase}** at *${this.#stage}*: ${this.#reason}\n\n| | stage | what | took |\n|---|---|---|---|\n${rows.join('\n')}${plan}\n\nRollout \`${this.#rolloutId}\`, workflow \`${workflowInfo().workflowId}\`.`;
  }
}

const MARKS: Record<StageRecord['state'], string> = { waiting: '·', running: '▶', done: '✓', failed: '✗', skipped: '–' };

function took({ startedAtMs, endedAtMs }: StageRecord): string {
  return startedAtMs === null || endedAtMs === null ? '' : `${((endedAtMs - startedAtMs) / 1000).toFixed(1)}\u00a0s`;
}
