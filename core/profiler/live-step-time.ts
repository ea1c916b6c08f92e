/**
 * Step-time coefficients of a running engine, kept current from what it does under load: recursive least squares, in information form. Each
 * sample is a time at work with what was done in it; the six coefficients are factors of those held to be right, and pulled towards them as
 * calibration is (`calibrate.ts`), with a strength that no forgetting wears down: a direction that the traffic does not excite stays where
 * it is. Old samples fade; they fade quickly while the engine does what they do not say.
 */
import type { StepSample, StepTimeCoefficients } from '../domain/step-time.ts';

const TERMS = ['d0', 'd1', 'd2', 'ra', 'rc', 'rb'] as const;
const COUNT = TERMS.length;
/** The first three are decode's, the others prefill's. */
const GROUP = COUNT / 2;

/** How far factors are expected from 1: what the three of a group have in common, and each from that. As deviations. */
const GROUP_DEVIATION = 0.5;
const TERM_DEVIATION = 0.35;
/** How far a sample's time is off where the factors are right, as a share: at first, and at least. */
const FIRST_NOISE = 0.1;
const LEAST_NOISE = 0.02;
/** No factor leaves these bounds. */
const MOST_FACTOR = 10;
/** What a sample cannot be off by: it is none. */
const MOST_TERM = 100;
/** Residuals beyond this, in ln(ms), count less and less. */
const OUTLIER = 0.15;
/** Samples fade over about so many. */
const WINDOW = 200;
/** So much of them is kept with each sample while the last ones are off by more than this, in ln(ms), at the mean. */
const KEPT_AT_CHANGE = 0.7;
const CHANGED = 0.12;
const RECENT = 0.2;
const NOISE_PACE = 0.05;
/** With less it says nothing. */
const LEAST_SAMPLES = 6;
const SWEEPS = 12;

export class LiveStepTime {
  #reference: StepTimeCoefficients;
  /** Of each sample its terms over its time: sums of their products, and of them. */
  readonly #products = new Float64Array(COUNT * COUNT);
  readonly #sums = new Float64Array(COUNT);
  readonly #factors = new Float64Array(COUNT).fill(1);
  readonly #terms = new Float64Array(COUNT);
  #samples = 0;
  #recent = 0;
  /** Mean of ln(measured over reference) of late, and over how many samples. */
  #logRatio = 0;
  #ratios = 0;
  /** Variance of a sample about what the factors say, as a share of its time. */
  #noise = FIRST_NOISE ** 2;

  /** @param reference the coefficients in force */
  constructor(reference: StepTimeCoefficients) {
    this.#reference = reference;
  }

  /** The coefficients of an engine that does what the samples say; null before there are enough. */
  get coefficients(): StepTimeCoefficients | null {
    if (this.#samples < LEAST_SAMPLES) return null;
    const coefficients = { ...this.#reference };
    for (let k = 0; k < COUNT; k++) coefficients[TERMS[k]!] *= this.#factors[k]!;
    return coefficients;
  }

  /** Measured time over that by the coefficients in force, by the last samples; null before there are enough. */
  get ratio(): number | null {
    return this.#ratios < LEAST_SAMPLES ? null : Math.exp(this.#logRatio);
  }

  /**
   * @param load how many times as much the engine did as `sample` tells: others send it requests, too
   */
  observe(sample: StepSample, load = 1): void {
    const terms = this.#terms;
    const { d0, d1, d2, rc, rb, o } = this.#reference;
    const ms = sample.ms - sample.steps * o;
    if (!(ms > 0) || !Number.isFinite(ms)) return;
    terms[0] = (sample.steps * d0 + load * sample.weightsMs) / ms;
    terms[1] = (load * sample.sequences * d1) / ms;
    terms[2] = (load * sample.contextTokens * d2) / ms;
    terms[3] = (load * sample.computeMs) / ms;
    terms[4] = (load * sample.prefillTokens * rc) / ms;
    terms[5] = (load * sample.prefillSquares * rb) / ms;
    let [predicted, held] = [0, 0];
    for (let k = 0; k < COUNT; k++) {
      if (!(Math.abs(terms[k]!) <= MOST_TERM)) return;
      predicted += terms[k]! * this.#factors[k]!;
      held += terms[k]!;
    }
    if (!(predicted > 0) || !(held > 0)) return;
    this.#ratios += 1;
    this.#logRatio += Math.max(RECENT, 1 / this.#ratios) * (Math.log(1 / held) - this.#logRatio);
    const residual = Math.log(1 / predicted);
    this.#recent += RECENT * (Math.max(-1, Math.min(1, residual)) - this.#recent);
    const kept = Math.abs(this.#recent) > CHANGED ? KEPT_AT_CHANGE : 1 - 1 / WINDOW;
    const weight = 1 / Math.max(1, Math.abs(residual) / OUTLIER);
    this.#noise += NOISE_PACE * (Math.max(LEAST_NOISE, Math.min(OUTLIER, Math.abs(residual))) ** 2 - this.#noise);
    this.#samples = this.#samples * kept + 1;
    for (let k = 0; k < COUNT; k++) {
      for (let l = 0; l < COUNT; l++)
        this.#products[k * COUNT + l] = this.#products[k * COUNT + l]! * kept + weight * terms[k]! * terms[l]!;
      this.#sums[k] = this.#sums[k]! * kept + weight * terms[k]!;
    }
    this.#solve();
  }

  /** Other coefficients are in force: what was seen is told in those. */
  restate(reference: StepTimeCoefficients): void {
    const ratio = TERMS.map((term) => (this.#reference[term] > 0 ? reference[term] / this.#reference[term] : 1));
    for (let k = 0; k < COUNT; k++) {
      for (let l = 0; l < COUNT; l++) this.#products[k * COUNT + l]! *= ratio[k]! * ratio[l]!;
      this.#sums[k]! *= ratio[k]!;
      this.#factors[k] = ratio[k]! > 0 ? this.#factors[k]! / ratio[k]! : 1;
    }
    this.#reference = reference;
    this.#ratios = this.#logRatio = 0;
    this.#solve();
  }

  /** Coordinate by coordinate, within the bounds: the function is convex, and begins close to its least. */
  #solve(): void {
    const factors = this.#factors;
    const groupPull = this.#noise / GROUP_DEVIATION ** 2;
    const termPull = this.#noise / TERM_DEVIATION ** 2;
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      for (let k = 0; k < COUNT; k++) {
        const from = k < GROUP ? 0 : GROUP;
        let gradient = this.#sums[k]! + groupPull;
        for (let l = 0; l < COUNT; l++) if (l !== k) gradient -= this.#products[k * COUNT + l]! * factors[l]!;
        for (let l = from; l < from + GROUP; l++) if (l !== k) gradient += (termPull / GROUP) * factors[l]!;
        const curvature = this.#products[k * COUNT + k]! + groupPull + termPull * (1 - 1 / GROUP);
        factors[k] = Math.max(1 / MOST_FACTOR, Math.min(MOST_FACTOR, gradient / curvature));
      }
    }
  }
}
