/** What operators do meanwhile: new revisions, drains with an uncordon behind them, rebalances. Each is followed to its end. */
import { setTimeout as delay } from 'node:timers/promises';
import { isTerminalPhase, type RolloutPhase } from '../../core/domain/rollout.ts';
import { ApiRefusal } from '../support/installation.ts';
import { type ChaosContext, pick } from './context.ts';
import type { OperationKind, Planned } from './schedule.ts';

/** How an operation ended, in its own word; `unavailable` where a server that it needs was away, `busy` where another had its target. */
export type OperationOutcome = string;

const LOOK_EVERY_MS = 500;

/** @param signal gives up following */
export async function operate(context: ChaosContext, planned: Planned<OperationKind>, signal: AbortSignal): Promise<OperationOutcome> {
  const operations = { deploy, drain, rebalance };
  try {
    return await operations[planned.kind](context, planned.draw, signal);
  } catch (error) {
    if (signal.aborted) return 'unfinished';
    if (error instanceof ApiRefusal && error.status === 409) return 'busy';
    if (isAway(error)) return 'unavailable';
    throw error;
  }
}

async function deploy(context: ChaosContext, draw: number, signal: AbortSignal): Promise<OperationOutcome> {
  const { installation, deployments, log } = context;
  const name = deployments[Math.floor(draw * deployments.length)]!;
  const { id } = await installation.api<{ id: string }>('POST', `/deployments/${name}/rollouts`);
  log(`deploy ${id}`);
  return until(context, signal, `/rollouts/${id}`, ({ status }: { status: { phase: RolloutPhase } }) =>
    isTerminalPhase(status.phase) ? status.phase : null,
  );
}

async function drain(context: ChaosContext, draw: number, signal: AbortSignal): Promise<OperationOutcome> {
  const { installation, busy, log } = context;
  const host = pick(installation.hosts, draw)!;
  if (busy.has(`drain ${host}`)) return 'busy';
  busy.add(`drain ${host}`);
  try {
    await installation.api('POST', `/hosts/${host}/drain`);
    log(`drain ${host}`);
    return await until(context, signal, `/hosts/${host}/drain`, ({ running, phase }: { running: boolean; phase: string }) =>
      running ? null : phase,
    );
  } finally {
    await persist(() => installation.api('POST', `/hosts/${host}/uncordon`));
    busy.delete(`drain ${host}`);
  }
}

async function rebalance(context: ChaosContext, _: number, signal: AbortSignal): Promise<OperationOutcome> {
  const { installation, log } = context;
  const { workflowId } = await installation.api<{ workflowId: string }>('POST', '/rebalances', { dryRun: false });
  log('rebalance');
  type Run = { state: string; result: { outcome: string } | null };
  return until(context, signal, `/rebalances/${workflowId}`, ({ state, result }: Run) =>
    state === 'running' ? null : (result?.outcome ?? state),
  );
}

/** Asks until there is an answer; servers may be away meanwhile. */
async function until<T>(
  { installation }: ChaosContext,
  signal: AbortSignal,
  path: string,
  outcomeOf: (body: T) => OperationOutcome | null,
): Promise<OperationOutcome> {
  for (;;) {
    signal.throwIfAborted();
    await delay(LOOK_EVERY_MS);
    try {
      const outcome = outcomeOf(await installation.api<T>('GET', path));
      if (outcome !== null) return outcome;
    } catch (error) {
      if (!isAway(error)) throw error;
    }
  }
}

const GIVE_UP_AFTER_MS = 120_000;

async function persist(work: () => Promise<unknown>): Promise<void> {
  for (const deadline = Date.now() + GIVE_UP_AFTER_MS; ; await delay(LOOK_EVERY_MS)) {
    try {
      await work();
      return;
    } catch (error) {
      const passes = isAway(error) || (error instanceof ApiRefusal && error.status === 409);
      if (!passes || Date.now() > deadline) throw error;
    }
  }
}

/** A server error, or no answer at all: what asks again later may do better. */
function isAway(error: unknown): boolean {
  return error instanceof ApiRefusal ? error.status >= 500 : error instanceof TypeError || (error as Error).name === 'TimeoutError';
}
