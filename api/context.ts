/** What routes are given. */
import type { Logger } from 'pino';
import type { Principal } from '../core/domain/access.ts';
import type { Diagnosis, DiagnosisInput } from '../core/placement/diagnosis/diagnose.ts';
import type { ObservedReplica } from '../core/placement/diagnosis/types.ts';
import type { FleetInput } from '../core/placement/fleet/problem.ts';
import type { ReplayWatch } from '../core/simulator/replay-watch.ts';
import type { WhatIfAnswer, WhatIfQuestion } from '../core/simulator/what-if.ts';
import type { DatabaseConnection } from '../db/client.ts';
import type { WorkflowActions } from './actions.ts';
import type { EventHub } from './events.ts';
import type { CostAnswer, CostQuestion } from './routes/cost/reckon.ts';

export interface Installation {
  version: string;
  temporalUiUrl: string | null;
  gatewayUrl: string | null;
}

/** What cost and bottlenecks are reckoned with: what planning and monitoring see, and somewhere to reckon without holding up anybody. */
export interface CostSources {
  loadFleet(nowMs: number): Promise<FleetInput>;
  reckon(question: CostQuestion): Promise<CostAnswer>;
  observedReplicas(nowMs: number, windowSeconds: number): Promise<ObservedReplica[]>;
  diagnose(input: DiagnosisInput): Promise<Diagnosis>;
  /** @param watch says how far it is, and takes back the question */
  replay(question: WhatIfQuestion, watch?: ReplayWatch): Promise<WhatIfAnswer>;
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
    principal: Principal;
    /** The principal's, as audit rows name it. */
    actor: string;
  };
}
