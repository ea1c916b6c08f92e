/** Looks at an installation: all the time at what must always hold, and when it has come to rest at everything. */

import { setTimeout as delay } from 'node:timers/promises';
import { isNull } from 'drizzle-orm';
import { messageOf } from '../../core/domain/errors.ts';
import { acceleratorClaims, deployments, hosts, replicas, rollouts } from '../../db/schema/index.ts';
import type { Installation } from '../support/installation.ts';
import { engineProcesses } from './engines.ts';
import { doubleBookings, sharedAccelerators } from './invariants/accelerators.ts';
import { disagreements, type GatewayView, orphans, unserved } from './invariants/engines.ts';
import { type WorkflowRun, wrongWorkflows } from './invariants/workflows.ts';

/** Invariant → what breaks it; an empty list where it holds. */
export type Findings = Record<'accelerators' | 'orphans' | 'workflows' | 'agreement', string[]>;

const LOOK_EVERY_MS = 2000;

/** Retries that gateways count, over all their lives, and accelerators that are booked twice at any moment. */
export interface Watch {
  retries(): number;
  doubleBookings(): readonly string[];
  stop(): Promise<void>;
}

export function startWatch(installation: Installation): Watch {
  const over = new AbortController();
  const counted = new Map<string, { before: number; now: number }>();
  const found = new Set<string>();
  let suspected: string[] = [];

  async function look(): Promise<void> {
    // Two looks in a row: the files of an engine that is just ending or starting are not of one moment.
    const shared = await accelerators(installation);
    for (const line of shared) if (suspected.includes(line)) found.add(line);
    suspected = shared;
    for (const [name, url] of installation.gateways) {
      const retries = await readRetries(url).catch(() => null);
      if (retries === null) continue;
      const last = counted.get(name) ?? { before: 0, now: 0 };
      counted.set(name, { before: retries < last.now ? last.before + last.now : last.before, now: retries });
    }
  }

  const watching = (async () => {
    while (!over.signal.aborted) {
      await look().catch(() => undefined); // Postgres is away
      await delay(LOOK_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  return {
    retries: () => [...counted.values()].reduce((sum, { before, now }) => sum + before + now, 0),
    doubleBookings: () => [...found],
    async stop() {
      over.abort();
      await watching;
      await look().catch(() => undefined);
    },
  };
}

async function accelerators(installation: Installation): Promise<string[]> {
  const running = sharedAccelerators(await engineProcesses(installation));
  const { db } = installation.database;
  const [living, claims] = await db.transaction(
    async (tx) => [await tx.select().from(replicas).where(isNull(replicas.endedAt)), await tx.select().from(acceleratorClaims)] as const,
    { isolationLevel: 'repeatable read', accessMode: 'read only' },
  );
  return [
    ...running,
    ...doubleBookings(
      living.map((r) => ({ ...r, replicaId: r.id })),
      claims,
    ),
  ];
}

async function readRetries(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2000) })).text();
  return [...text.matchAll(/^\S*upstream_retries_total\{.*\} (\d+)$/gm)].reduce((sum, match) => sum + Number(match[1]), 0);
}

/** Waits until nothing is under way any more, for at most `withinMs`. @returns what still was when that was over */
export async function comeToRest(installation: Installation, withinMs: number): Promise<string[]> {
  let restless: string[] = [];
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await delay(500)) {
    restless = await underWay(installation).catch((error) => [messageOf(error)]);
    if (restless.length === 0) return [];
  }
  return restless;
}

async function underWay(installation: Installation): Promise<string[]> {
  const { db } = installation.database;
  const open = await db.select({ id: rollouts.id }).from(rollouts).where(isNull(rollouts.endedAt));
  const living = await db.select().from(replicas).where(isNull(replicas.endedAt));
  const declared = await db.select().from(hosts);
  const running = (await workflowRuns(installation)).filter((run) => run.status === 'RUNNING' && run.type !== 'hostPresence');
  return [
    ...open.map((r) => `rollout ${r.id}`),
    ...living.filter((r) => r.state !== 'ready').map((r) => `replica ${r.id} is ${r.state}`),
    ...declared
      .filter((h) => h.liveness !== 'alive' || h.service !== 'schedulable')
      .map((h) => `host ${h.name} is ${h.liveness}, ${h.service}`),
    ...running.map((run) => `${run.type} ${run.workflowId}`),
    ...disagreements(living, await engineProcesses(installation), await answering(living), await gatewayViews(installation)),
  ];
}

/** All that must hold once everything has come to rest. */
export async function examine(installation: Installation): Promise<Findings> {
  const { db } = installation.database;
  const living = await db.select().from(replicas).where(isNull(replicas.endedAt));
  const engines = await engineProcesses(installation);
  const wanted = await db.select().from(deployments);
  return {
    accelerators: await accelerators(installation),
    orphans: orphans(engines, living),
    workflows: wrongWorkflows(
      await workflowRuns(installation),
      living.map((r) => r.id),
    ),
    agreement: [
      ...disagreements(living, engines, await answering(living), await gatewayViews(installation)),
      ...unserved(
        wanted.map(({ name, currentRevision, spec }) => ({ name, currentRevision, minReplicas: spec.replicas.min })),
        living,
      ),
    ],
  };
}

async function answering(living: readonly { id: string; endpoint: string | null }[]): Promise<Set<string>> {
  const asked = await Promise.all(
    living.map(async ({ id, endpoint }) => {
      const answer = endpoint === null ? null : await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(3000) }).catch(() => null);
      return answer?.ok ? [id] : [];
    }),
  );
  return new Set(asked.flat());
}

async function gatewayViews({ gateways }: Installation): Promise<GatewayView[]> {
  return Promise.all(
    [...gateways].map(async ([name, url]) => {
      const stats = await (await fetch(`${url}/uellm/stats`, { signal: AbortSignal.timeout(3000) })).json();
      return { name, replicas: (stats as GatewayView).replicas };
    }),
  );
}

async function workflowRuns({ temporal }: Installation): Promise<WorkflowRun[]> {
  const runs: WorkflowRun[] = [];
  for await (const { workflowId, runId, type, status } of temporal.workflow.list()) {
    const described = status.name === 'RUNNING' ? await temporal.workflow.getHandle(workflowId, runId).describe() : null;
    const taskAttempts = described?.raw.pendingWorkflowTask?.attempt ?? 1;
    runs.push({ workflowId, type, status: status.name, taskAttempts });
  }
  return runs;
}
