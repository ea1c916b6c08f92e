/**
 * Training as a whole: every observation is learned from once, in its order (`learn.ts`), and from time to time the text part of the models
 * concerned is fitted anew to a window of answers. Holds the window; the snapshot is the rest of its state.
 */
import { NOT_LEARNED_FROM } from '../domain/observation.ts';
import { isLength, type Learned, learn, type StoredObservation } from './learn.ts';
import { headOf, type OutputHead, type ProfilerSnapshot } from './snapshot.ts';
import type { TextPrior } from './text/prior.ts';
import { PUBLISHED_PRIOR } from './text/published-prior.ts';
import { refitText } from './text/refit.ts';
import { type TrainingRow, TrainingWindow } from './training-window.ts';

/** Only the busiest models have words of their own, so that a snapshot stays small; the others go by what all have in common. */
const MOST_OWN_TEXTS = 24;
/** Another key that so many answers in a row come in is the key from there on. */
const NEW_KEY = 48;
/** A change is noticed about so many answers after it. */
const SINCE_CHANGE = 32;

export class Training {
  readonly #prior: TextPrior;
  #window = new TrainingWindow();
  #keyId: string | null = null;
  /** The newest, where they are of another key than the window. */
  #otherKey: TrainingRow[] = [];
  #snapshot: ProfilerSnapshot;

  constructor(snapshot: ProfilerSnapshot, prior: TextPrior = PUBLISHED_PRIOR) {
    this.#snapshot = snapshot;
    this.#prior = prior;
  }

  get snapshot(): ProfilerSnapshot {
    return this.#snapshot;
  }

  /** Goes on from another snapshot (published, recalibrated, rolled back to) with the window as it is. */
  resumeFrom(snapshot: ProfilerSnapshot): void {
    this.#snapshot = snapshot;
  }

  /** Answers that were learned from already fill the window, oldest first: after a restart. */
  remember(observations: readonly StoredObservation[]): void {
    for (const observation of observations) this.#keep(observation);
  }

  observe(batch: readonly StoredObservation[]): Learned {
    const before = this.#snapshot;
    const result = learn(before, batch);
    this.#snapshot = result.snapshot;
    this.remember(batch);
    for (const [model, head] of Object.entries(result.snapshot.models)) {
      if (changesOf(head) > changesOf(before.models[model])) this.#window.newEra(model, SINCE_CHANGE);
    }
    this.#refit(this.#window.due(), this.#window.isCommonDue);
    return { ...result, snapshot: this.#snapshot };
  }

  #keep(observation: StoredObservation): void {
    const { requestId, model, class: name, tenant, inputTokens, maxTokens, streamed, text, outputTokens } = observation;
    if (observation.featureKey === NOT_LEARNED_FROM) return;
    if (!text || observation.outcome !== 'ok' || outputTokens === null || !isLength(outputTokens) || !isLength(inputTokens)) return;
    if (maxTokens !== null && outputTokens >= maxTokens) return;
    // Field by field: an observation holds more, and the window thousands of them.
    const row: TrainingRow = { requestId, model, class: name, tenant, inputTokens, maxTokens, streamed, outputTokens, text };
    this.#keyId ??= text.keyId;
    // Hashes of another key say nothing beside those of the window's.
    if (text.keyId === this.#keyId) {
      this.#otherKey = [];
      this.#window.add(row);
    } else {
      this.#keepOther(row);
    }
  }

  /** Gateways change their key one after the other, and deliver late what they spooled: another key is the new one when nothing else comes. */
  #keepOther(row: TrainingRow): void {
    const { keyId } = row.text;
    const run = this.#otherKey[0]?.text.keyId === keyId ? [...this.#otherKey, row] : [row];
    this.#otherKey = run;
    if (run.length < NEW_KEY) return;
    this.#otherKey = [];
    this.#keyId = keyId;
    this.#window = new TrainingWindow();
    for (const kept of run) this.#window.add(kept);
  }

  /** Fits the text parts to all that is in the window, due or not: when nothing more is to come for now. */
  settle(): void {
    this.#refit(this.#window.models(), true);
  }

  /** @param isCommonDue what all models have in common, too */
  #refit(concerned: readonly string[], isCommonDue: boolean): void {
    const keyId = this.#keyId;
    if (concerned.length === 0 || keyId === null) return;
    const models = { ...this.#snapshot.models };
    const own = new Set(this.#window.busiest(MOST_OWN_TEXTS));
    for (const model of concerned) {
      if (own.has(model) && Object.hasOwn(models, model)) {
        const head = headOf(this.#snapshot, model);
        models[model] = refitText(head, head.text ?? this.#snapshot.shared.text, this.#window.rows(model), this.#prior, keyId);
      }
      this.#window.fitted(model);
    }
    const { shared } = this.#snapshot;
    this.#snapshot = { ...this.#snapshot, shared: isCommonDue ? this.#refitCommon(shared, keyId) : shared, models };
  }

  #refitCommon(shared: OutputHead, keyId: string): OutputHead {
    const rows = this.#window.commonRows();
    this.#window.commonFitted(rows.length);
    return refitText(shared, shared.text, rows, this.#prior, keyId);
  }
}

function changesOf(head: OutputHead | undefined): number {
  return head?.drift?.changes ?? 0;
}
