/**
 * The answers that the text part is fitted to: bounded, and in strata by model, so that a busy model does not push out the others. Of each
 * model one half is the newest, the other a sample of all before that, so that rare kinds of prompts are not forgotten.
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
/** A fit is due when the window has grown or been renewed by this share. */
const RENEWED = 0.25;

export class TrainingWindow {
  readonly #capacity: number;
  readonly #strata = new Map<string, Stratum>();

  /** @param capacity rows of one model */
  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  add(row: TrainingRow): void {
    const stratum = this.#strata.get(row.model) ?? { ...EMPTY, newest: [], sample: [] };
    this.#strata.set(row.model, stratum);
    stratum.newest.push({ ...row, era: stratum.era });
    stratum.added++;
    const half = this.#capacity >> 1;
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

  allRows(): WindowRow[] {
    return [...this.#strata.keys()].flatMap((model) => this.rows(model));
  }
}

function isEnough({ newest, sample }: Stratum): boolean {
  return newest.length + sample.length >= LEAST_ROWS;
}

function isDue(stratum: Stratum): boolean {
  const { added, atLastFit } = stratum;
  return isEnough(stratum) && added >= Math.max(LEAST_ROWS / 2, atLastFit * RENEWED);
}
