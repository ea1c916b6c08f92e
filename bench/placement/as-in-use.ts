/** How plans are made by `uellm plan`, nothing being there yet. */
import type { FleetPlanOptions } from '../../core/placement/fleet/fleet-plan.ts';

export const AS_IN_USE: FleetPlanOptions = { pipelines: true };
