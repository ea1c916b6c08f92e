/** What routes are given. */
import type { Logger } from 'pino';
import type { DatabaseConnection } from '../db/client.ts';
import type { WorkflowActions } from './actions.ts';
import type { EventHub } from './events.ts';

export interface Installation {
  version: string;
  temporalUiUrl: string | null;
  gatewayUrl: string | null;
}

export interface ApiDependencies {
  database: DatabaseConnection;
  actions: WorkflowActions;
  events: EventHub;
  info: Installation;
  logger: Logger;
}

export interface ApiEnv {
  Variables: {
    /** Who asks, as audit rows name them. */
    actor: string;
  };
}
