/** Finding and following rollouts. */
import type { ApiClient } from '../api/client.ts';
import { ApiProblem } from '../api/client.ts';
import type { RolloutResource } from '../api/schema/index.ts';
import { isTerminalPhase, ROLLOUT_STAGES, type RolloutStatus } from '../core/domain/rollout.ts';
import { stageLines } from './details.ts';
import { CommandFailed } from './failure.ts';
import { bar } from './output/bar.ts';
import { paint, toneOf } from './output/colour.ts';
import type { Progress } from './output/live.ts';
import type { Terminal } from './terminal.ts';
import { watch } from './watch.ts';

/** The newest rollout of a deployment; or the rollout itself, where an id was given. */
export async function newestRollout(client: ApiClient, name: string): Promise<RolloutResource> {
  const { items } = await client.list('rollouts', { deployment: name, limit: 1 });
  if (items[0]) return items[0];
  try {
    return await client.get('rollouts', name);
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.problem.status !== 404) throw error;
    await client.get('deployments', name); // it says so where there is no deployment either
    throw new CommandFailed(`deployment '${name}' was never rolled out: uellm deploy ${name}`);
  }
}

/** Shows a rollout until it is over. */
export async function followRollout(client: ApiClient, id: string, terminal: Terminal, progress: Progress): Promise<RolloutResource> {
  const rollout = await watch(progress, async () => {
    const now = await client.get('rollouts', id);
    progress.show(
      [
        `${stagesBar(now.status, terminal.colour)}  ${rolloutLine(now, terminal.colour)}`,
        ...stageLines(now.status, terminal.colour).map((line) => `  ${line}`),
      ],
      rolloutLine(now, false),
    );
    return isTerminalPhase(now.status.phase) ? now : undefined;
  });
  return rollout;
}

/** How many stages are behind it; strategies that leave some out have them behind them, too, at the end. */
export function stagesBar({ phase, stages }: RolloutStatus, colour: boolean): string {
  const all = ROLLOUT_STAGES.length;
  const passed = phase === 'succeeded' ? all : stages.filter(({ endedAtMs }) => endedAtMs !== null).length;
  return `${bar(passed / all, colour)} ${passed}/${all}`;
}

export function rolloutLine({ id, status }: RolloutResource, colour: boolean): string {
  return `${id}: ${paint(status.phase, toneOf(status.phase), colour)} at ${status.stage}: ${status.reason}`;
}

/** @throws CommandFailed for a rollout that ended otherwise than asked */
export function requireEnd({ id, status }: RolloutResource, asked: 'succeeded' | 'rolled-back'): void {
  if (status.phase !== asked) throw new CommandFailed(`rollout ${id} ${status.phase} at ${status.stage}: ${status.reason}`);
}
