/** What the activities of the control plane need from outside. */
import type { ModelShape } from '../core/domain/model-spec.ts';
import type { PlanInput, PlanOutput } from '../core/placement/types.ts';
import type { ShapeProfile } from '../core/profiler/shapes.ts';
import type { Database } from '../db/client.ts';

export interface LengthRecalibration {
  model: string;
  /** null: every class of it. */
  class: string | null;
  /** Above 0; relative to what is in force. */
  factor: number;
  /** Unique for ever. */
  correctionId: string;
}

export interface ControlDeps {
  db: Database;
  now: () => number;
  newId: () => string;
  /** How many replicas may be moving at once in the whole cluster; `DEFAULT_MAX_MOVING` without it. */
  maxMoving?: number;
  /** Plans, off the thread that beats and polls. */
  plan: (input: PlanInput) => Promise<PlanOutput>;
  /** Asks the profiler service for memory and step time of a model on each accelerator kind. */
  profileShapes: (model: ModelShape, accelerators: string[]) => Promise<ShapeProfile[]>;
  /** Asks the profiler service to multiply its lengths. Asking again with the same `correctionId` changes nothing. */
  recalibrateLengths: (recalibration: LengthRecalibration) => Promise<void>;
}
