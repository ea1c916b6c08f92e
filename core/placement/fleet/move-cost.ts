/** What bringing up a replica costs: money while it loads and whatever it takes over from goes on, and the disturbance. */
import type { ModelShape } from '../../domain/model-spec.ts';

/** Weights come from a local disk or a cache next door. */
const LOAD_BYTES_PER_SECOND = 1e9;
/** Process, graphs, warm-up and calibration. */
const START_SECONDS = 60;
/** Cold caches, and a few requests that are tried again. */
const DISRUPTION_USD = 0.05;
/** A move is worth it when what it saves pays for it within this time. */
const PAYBACK_HOURS = 1;

export interface MoveCost {
  /** Until the new replica serves. */
  seconds: number;
  /** Of its accelerators until then, and of the disturbance. */
  usd: number;
}

/** @param usdPerHour of all accelerators of the replica */
export function moveCost(model: Pick<ModelShape, 'weightsBytes'>, usdPerHour: number): MoveCost {
  const seconds = START_SECONDS + model.weightsBytes / LOAD_BYTES_PER_SECOND;
  return { seconds, usd: (usdPerHour * seconds) / 3600 + DISRUPTION_USD };
}

/** The same as a price an hour: what a move must save. */
export function movePricePerHour(model: Pick<ModelShape, 'weightsBytes'>, usdPerHour: number): number {
  return moveCost(model, usdPerHour).usd / PAYBACK_HOURS;
}

/** Of one replica of a column of the fleet planner's, USD an hour for as long as it should pay for itself. */
export type MovePrice = (column: number) => number;
