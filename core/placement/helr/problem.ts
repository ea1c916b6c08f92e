/** The problem that HELR, HE and LR solve, and their answers, as plain data. */
import { z } from 'zod';
import { parseInput } from '../../domain/validate.ts';

const deviceSchema = z.strictObject({
  id: z.string().min(1),
  /** What weights and KV cache may take. */
  memoryBytes: z.number().nonnegative(),
  /** One layer group of one batch step. */
  msPerLayerGroup: z.number().nonnegative(),
  /** null where it has no price. */
  usdPerHour: z.number().nonnegative().nullable(),
});

export const helrProblemSchema = z
  .strictObject({
    layerGroups: z.strictObject({
      count: z.number().int().min(1).max(10_000),
      /** Weights of one group. */
      bytes: z.number().positive(),
      /** KV cache that must fit beside each group. */
      kvBytes: z.number().nonnegative(),
    }),
    /** A device is one accelerator, or several that hold a stage together by tensor parallelism. */
    devices: z.array(deviceSchema).max(4096),
    /** `commMs[from][to]`: handing the activations of one batch step on. The diagonal is not read. */
    commMs: z.array(z.array(z.number().nonnegative())),
    /** The SLO: what one batch step may take through the whole pipeline. Only HELR reads it. */
    maxLatencyMs: z.number().positive().optional(),
  })
  .superRefine(({ devices, commMs }, context) => {
    const fault = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    const first = new Map<string, number>();
    devices.forEach(({ id }, i) => {
      if (first.has(id)) fault(['devices', i, 'id'], `another id than devices[${first.get(id)}] has`);
      else first.set(id, i);
    });
    if (commMs.length !== devices.length) fault(['commMs'], `${devices.length} rows, one a device`);
    commMs.forEach((row, i) => {
      if (row.length !== devices.length) fault(['commMs', i], `${devices.length} numbers, one a device`);
    });
  });

export type HelrProblem = z.infer<typeof helrProblemSchema>;
export type HelrDevice = z.infer<typeof deviceSchema>;

/** @throws invalid-input with every field that is wrong: negative, not a number, no layers, a matrix that is not square */
export function parseProblem(problem: HelrProblem): HelrProblem {
  return parseInput(helrProblemSchema, problem, 'placement problem');
}

/** A contiguous run of layer groups on one device. */
export interface HelrStage {
  device: string;
  layerGroups: number;
}

export interface HelrPlacement {
  kind: 'placed';
  /** In the order of the model's layers. Each device holds at least one group. */
  stages: HelrStage[];
  /** Every group and every hand-over of one batch step, one after another. */
  latencyMs: number;
  /** Of the devices used; null where some of them has no price. */
  usdPerHour: number | null;
  /** false where so many different devices were offered that only some of them were searched. */
  exact: boolean;
}

/** Why there is no placement. */
export type HelrInfeasible =
  /** All devices together do not hold the model: what those groups need that have no place. */
  | { kind: 'infeasible'; on: 'memory'; shortBytes: number }
  /** Nothing is quick enough: the best there is, for callers that would rather have that than nothing. */
  | { kind: 'infeasible'; on: 'slo'; maxLatencyMs: number; best: HelrPlacement }
  /** All devices together hold the model, but more different ones would have to be combined than are searched. */
  | { kind: 'infeasible'; on: 'search'; searchedDevices: number };

export type HelrOutcome = HelrPlacement | HelrInfeasible;
