/** The admin API as an app in this process, on a database of its own, with actions that a test sees and steers. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import pino from 'pino';
import { vi } from 'vitest';
import { observedReplicas } from '../../activities/monitoring/observed-replicas.ts';
import { loadServingFleet } from '../../activities/planning-input.ts';
import type { WorkflowActions } from '../../api/actions.ts';
import { type AppOptions, createApp } from '../../api/app.ts';
import type { ApiEnv, CostSources } from '../../api/context.ts';
import { createEventHub } from '../../api/events.ts';
import { readiness } from '../../api/health.ts';
import { reckonCost } from '../../api/routes/cost/reckon.ts';
import type { RolloutStatus } from '../../core/domain/rollout.ts';
import { diagnose } from '../../core/placement/diagnosis/diagnose.ts';
import { loadHighsSolver } from '../../core/placement/fleet/highs.ts';
import { countArrivals } from '../../core/simulator/replay-watch.ts';
import { whatIf } from '../../core/simulator/what-if.ts';
import type { Database } from '../../db/client.ts';
import { createTestDatabase } from './database.ts';

export interface TestApi {
  app: OpenAPIHono<ApiEnv>;
  db: Database;
  actions: FakeActions;
  /** A request with a JSON body. @returns status, headers, and the parsed answer */
  call<T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
  close(): Promise<void>;
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export type FakeActions = { [K in keyof WorkflowActions]: ReturnType<typeof vi.fn<WorkflowActions[K]>> };

export const RUNNING: RolloutStatus = { phase: 'running', stage: 'start', reason: 'starting', stages: [], planId: null };

/** Actions that accept everything. */
export function fakeActions(): FakeActions {
  return {
    ping: vi.fn(async () => undefined),
    startDeploy: vi.fn(async () => undefined),
    updateRollout: vi.fn(async (_id, action) => ({ ...RUNNING, phase: action === 'pause' ? ('paused' as const) : ('running' as const) })),
    tellProposal: vi.fn(async () => undefined),
    startRetirement: vi.fn(async () => undefined),
    startDrain: vi.fn(async () => undefined),
    drainStatus: vi.fn(async () => null),
    cancelDrain: vi.fn(async () => false),
    startRebalance: vi.fn(async () => undefined),
    rebalance: vi.fn(async () => null),
    cancelRebalance: vi.fn(async () => false),
    readLog: vi.fn(async ({ replicaId }) => ({ source: replicaId ?? 'host worker', lines: ['first', 'last'] })),
    schedules: vi.fn(async () => []),
    changeSchedule: vi.fn(async (name, change) => ({
      ...{ name, everySeconds: 300, paused: false, note: '', lastRunAt: null, nextRunAt: null },
      ...change,
    })),
  };
}

/** Costs reckoned in this thread. */
export function costSources(db: Database): CostSources {
  return {
    loadFleet: (nowMs) => loadServingFleet(db, nowMs),
    reckon: async (question) => reckonCost(question, await loadHighsSolver()),
    observedReplicas: (nowMs, windowSeconds) => observedReplicas(db, nowMs, windowSeconds),
    diagnose: async (input) => diagnose(input),
    replay: async (question, watch) => whatIf(question, watch && countArrivals(watch)),
  };
}

export async function createTestApi(options: Partial<AppOptions> = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const logger = pino({ level: 'silent' });
  const actions = fakeActions();
  const events = createEventHub(database.connection, () => readiness({ database: database.connection, actions }), logger);
  const info = { version: '0.0.0-test', temporalUiUrl: 'http://127.0.0.1:8233', gatewayUrl: 'http://127.0.0.1:8000' };
  const cost = costSources(database.connection.db);
  const dependencies = { database: database.connection, actions, events, cost, info, logger };
  const app = createApp(dependencies, { apiKeys: [], open: (options.apiKeys ?? []).length === 0, tokens: null, webRoot: null, ...options });
  return {
    app,
    db: database.connection.db,
    actions,
    async call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
      const json = body === undefined ? {} : { body: JSON.stringify(body) };
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const response = await app.request(path, { method, headers: { ...type, ...headers }, ...json });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: (text ? JSON.parse(text) : undefined) as T };
    },
    async close() {
      await events.close();
      await database.drop();
    },
  };
}
