/** What routes are given. */
import type { Logger } from 'pino';
import type { FleetInput } from '../core/placement/fleet/problem.ts';
import type { DatabaseConnection } from '../db/client.ts';
import type { WorkflowActions } from './actions.ts';
import type { EventHub } from './events.ts';
import type { CostAnswer, CostQuestion } from './routes/cost/reckon.ts';

export interface Installation {
  version: string;
  temporalUiUrl: string | null;
  gatewayUrl: string | null;
}

/** What the cost of serving is reckoned with: what planning sees, and somewhere to reckon without holding up anybody. */
export interface CostSources {
  loadFleet(nowMs: number): Promise<FleetInput>;
  reckon(question: CostQuestion): Promise<CostAnswer>;
}

export interface ApiDependencies {
  database: DatabaseConnection;
  actions: WorkflowActions;
  events: EventHub;
  cost: CostSources;
  info: Installation;
  logger: Logger;
}

export interface ApiEnv {
  Variables: {
    /** Who asks, as audit rows name them. */
    actor: string;
  };
}
