/**
 * The answers that the text part is fitted to: bounded, and in strata by model, so that a busy model does not push out the others. Of each
 * model one half is the newest, the other a sample of all before that, so that rare kinds of prompts are not forgotten. What a fit costs and
 * what is held is the same after a million answers as after the first few thousand, and for a hundred models as for a dozen.
 */
import { bucketOf, type RequestFeatures } from './features.ts';
import type { TextSketch } from './text/sketch.ts';

/** An answer that ended by itself, with a sketch of its prompt. */
export interface TrainingRow extends RequestFeatures {
  requestId: string;
  outputTokens: number;
  text: TextSketch;
}

/** Rows of one era are alike in level; between eras a model's answers have changed as a whole. */
export interface WindowRow extends TrainingRow {
  era: number;
}

interface Stratum {
  newest: WindowRow[];
  sample: WindowRow[];
  /** Rows that have left `newest`. */
  left: number;
  /** Rows added since the last fit, and in the window at it. */
  added: number;
  atLastFit: number;
  era: number;
}

const EMPTY = { left: 0, added: 0, atLastFit: 0, era: 0 };

/** Below this a model's words are not fitted. */
const LEAST_ROWS = 32;
/** Rows of one model at most, and of all together: with many models each has fewer. */
const MODEL_ROWS = 4096;
const ALL_ROWS = 49_152;
/** Of all models together so many are fitted to at once, as many of each. */
const COMMON_ROWS = 16_384;
/** A fit is due when the window has grown or been renewed by this share. */
const RENEWED = 0.25;

export class TrainingWindow {
  readonly #strata = new Map<string, Stratum>();
  /** Of all models together, as of each. */
  readonly #common = { added: 0, atLastFit: 0 };

  /** Rows of one model that are newest, and as many that are a sample. */
  get #half(): number {
    return Math.min(MODEL_ROWS, Math.floor(ALL_ROWS / this.#strata.size)) >> 1;
  }

  add(row: TrainingRow): void {
    const stratum = this.#strata.get(row.model) ?? this.#addStratum(row.model);
    stratum.newest.push({ ...row, era: stratum.era });
    stratum.added++;
    this.#common.added++;
    const half = this.#half;
    if (stratum.newest.length <= half) return;
    // Algorithm R, its draw taken from the request's id: the same observations give the same window.
    const old = stratum.newest.shift()!;
    stratum.left++;
    if (stratum.sample.length < half) {
      stratum.sample.push(old);
      return;
    }
    const place = bucketOf(old.requestId, stratum.left);
    if (place < half) stratum.sample[place] = old;
  }

  #addStratum(model: string): Stratum {
    const stratum: Stratum = { ...EMPTY, newest: [], sample: [] };
    this.#strata.set(model, stratum);
    const half = this.#half;
    for (const other of this.#strata.values()) {
      // What is newest of them goes on to be so; of the sample any part is one.
      if (other.newest.length > half) other.newest.splice(0, other.newest.length - half);
      if (other.sample.length > half) other.sample.length = half;
    }
    return stratum;
  }

  /** Models with rows enough to fit. */
  models(): string[] {
    return [...this.#strata].filter(([, stratum]) => isEnough(stratum)).map(([model]) => model);
  }

  /** The models with the most rows. */
  busiest(count: number): string[] {
    const rows = ({ newest, sample }: Stratum) => newest.length + sample.length;
    return [...this.#strata]
      .sort(([, a], [, b]) => rows(b) - rows(a))
      .slice(0, count)
      .map(([model]) => model);
  }

  /** Models whose text part is due to be fitted anew. */
  due(): string[] {
    return [...this.#strata].filter(([, stratum]) => isDue(stratum)).map(([model]) => model);
  }

  /** A model's answers are no longer what they were: what comes now, and the newest `counted`, are of another era. */
  newEra(model: string, counted: number): void {
    const stratum = this.#strata.get(model);
    if (!stratum) return;
    stratum.era++;
    for (const row of stratum.newest.slice(-counted)) row.era = stratum.era;
  }

  fitted(model: string): void {
    const stratum = this.#strata.get(model);
    if (!stratum) return;
    stratum.atLastFit = stratum.newest.length + stratum.sample.length;
    stratum.added = 0;
  }

  rows(model: string): WindowRow[] {
    const stratum = this.#strata.get(model);
    return stratum ? [...stratum.sample, ...stratum.newest] : [];
  }

  /** Of all models, evenly. */
  commonRows(): WindowRow[] {
    const share = Math.floor(COMMON_ROWS / Math.max(1, this.#strata.size));
    return [...this.#strata.keys()].flatMap((model) => {
      const rows = this.rows(model);
      const every = Math.max(1, rows.length / share);
      return Array.from({ length: Math.min(rows.length, share) }, (_, i) => rows[Math.floor(i * every)]!);
    });
  }

  /** Is what all models have in common due to be fitted anew? */
  get isCommonDue(): boolean {
    const { added, atLastFit } = this.#common;
    return added >= Math.max(LEAST_ROWS / 2, atLastFit * RENEWED);
  }

  commonFitted(rows: number): void {
    this.#common.added = 0;
    this.#common.atLastFit = rows;
  }
}

function isEnough({ newest, sample }: Stratum): boolean {
  return newest.length + sample.length >= LEAST_ROWS;
}

function isDue(stratum: Stratum): boolean {
  const { added, atLastFit } = stratum;
  return isEnough(stratum) && added >= Math.max(LEAST_ROWS / 2, atLastFit * RENEWED);
}
