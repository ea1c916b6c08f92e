/** What the activities of the control plane need from outside. */
import type { ModelShape } from '../core/domain/model-spec.ts';
import type { ShapeProfile } from '../core/profiler/shapes.ts';
import type { Database } from '../db/client.ts';

export interface ControlDeps {
  db: Database;
  now: () => number;
  newId: () => string;
  /** Asks the profiler service for memory and step time of a model on each accelerator kind. */
  profileShapes: (model: ModelShape, accelerators: string[]) => Promise<ShapeProfile[]>;
}
